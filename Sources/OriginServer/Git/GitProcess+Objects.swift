import GitObjects
import LinuxSystem
import NIOCore

/// What `cat-file` says about a name.
struct ObjectInfo: Sendable {
    let id: ObjectID
    let type: String
    let size: UInt64
}

/// The dialogue of `cat-file --batch-command --buffer` (git-cat-file(1)).
extension GitProcess {
    /// The format the object processes are started with. The size processes leave out the type: for a deltified object git
    /// has to walk its chain of bases to find that.
    static let objectFormat = "%(objectname) %(objecttype) %(objectsize)"
    static let sizeFormat = "%(objectsize)"

    /// Git keeps the questions in memory until the flush; this many at a time bounds that.
    private static let batch = 4096

    /// Asks about names that hold no white space; nil for one that does not exist.
    func lookUp(_ names: [String]) throws(OriginError) -> [ObjectInfo?] {
        self.ask("info", names)
        var answers: [ObjectInfo?] = []
        answers.reserveCapacity(names.count)
        for _ in names { answers.append(try self.readInfo()) }
        return answers
    }

    /// The sizes of objects, from a process started with `sizeFormat`; `ObjectFrame.noSize` for one that does not exist.
    func sizes(of ids: [ObjectID]) throws(OriginError) -> [UInt64] {
        self.ask("info", ids.map(\.hex))
        var sizes: [UInt64] = []
        sizes.reserveCapacity(ids.count)
        for _ in ids {
            let line = try self.readLine()
            if Self.isMissing(line) {
                sizes.append(ObjectFrame.noSize)
            } else if let size = UInt64(String(decoding: line, as: UTF8.self)) {
                sizes.append(size)
            } else {
                throw self.misunderstood(line)
            }
        }
        return sizes
    }

    /// Asks for contents. For each name, in order, `body` gets the info, or nil if it does not exist, and must then read exactly
    /// `size` bytes.
    func contents(
        of ids: [ObjectID], _ body: (Int, ObjectInfo?) throws(OriginError) -> Void
    ) throws(OriginError) {
        self.ask("contents", ids.map(\.hex))
        for index in ids.indices {
            let info = try self.readInfo()
            try body(index, info)
            if info != nil { try self.skip(1) }
        }
    }

    private func ask(_ command: String, _ names: [String]) {
        var text: [UInt8] = []
        for (index, name) in names.enumerated() {
            text += "\(command) \(name)\n".utf8
            if (index + 1).isMultiple(of: Self.batch) { text += "flush\n".utf8 }
        }
        text += "flush\n".utf8
        self.send(text)
    }

    private func readInfo() throws(OriginError) -> ObjectInfo? {
        let line = try self.readLine()
        if Self.isMissing(line) { return nil }
        let fields = line.split(separator: 0x20)
        guard fields.count == 3, let id = ObjectID(hex: fields[0]),
            let size = UInt64(String(decoding: fields[2], as: UTF8.self))
        else { throw self.misunderstood(line) }
        return ObjectInfo(id: id, type: String(decoding: fields[1], as: UTF8.self), size: size)
    }

    private static func isMissing(_ line: [UInt8]) -> Bool {
        line.suffix(8).elementsEqual(" missing".utf8) || line.suffix(10).elementsEqual(" ambiguous".utf8)
    }

    private func misunderstood(_ line: [UInt8]) -> OriginError {
        OriginError(
            .gitFailed,
            "git gave an answer that is not understood: \(String(decoding: line.prefix(200), as: UTF8.self))")
    }
}
