import GitObjects

/// The dialogue of `diff-tree --stdin -z` (git-diff-tree(1)).
extension GitProcess {
    /// Files in one answer: more would be held in memory by everybody on the way.
    static let changeLimit = 1_000_000

    /// What differs between two trees, in the order of the published API.
    /// - Throws: `tooLarge`.
    func changes(from base: ObjectID, to tip: ObjectID) throws(OriginError) -> [ChangedFile] {
        // Git has no word for the end of an answer, but repeats a line that is no id, and flushes.
        self.send(Array("\(base.hex) \(tip.hex)\nend\n".utf8))
        guard try self.readLine() == Array("\(base.hex) \(tip.hex)".utf8) else { throw self.misunderstood("header") }
        var changes: [ChangedFile] = []
        while try self.peek() == 0x3a {
            let change = try self.readChange()
            guard changes.count < Self.changeLimit else {
                throw OriginError(.tooLarge, "more than \(Self.changeLimit) files differ between \(base) and \(tip)")
            }
            changes.append(change)
        }
        guard try self.readLine() == Array("end".utf8) else { throw self.misunderstood("end") }
        return changes.sorted(by: ChangedFile.precedes)
    }

    /// `:MODE MODE ID ID STATUS NUL PATH NUL`, and for a rename the new path after the old one.
    private func readChange() throws(OriginError) -> ChangedFile {
        let fields = try self.readLine(endingIn: 0).dropFirst().split(separator: 0x20)
        guard fields.count == 5, let before = ObjectID(hex: fields[2]), let after = ObjectID(hex: fields[3]),
            let status = fields[4].first
        else { throw self.misunderstood("record") }
        let path = try self.readLine(endingIn: 0)
        guard status != UInt8(ascii: "D") else {
            guard let mode = FileMode(octal: fields[0]) else { throw self.misunderstood("mode") }
            return ChangedFile(action: .deleted, path: path, id: before, mode: mode, oldID: before)
        }
        guard let mode = FileMode(octal: fields[1]) else { throw self.misunderstood("mode") }
        switch status {
        case UInt8(ascii: "A"):
            return ChangedFile(action: .new, path: path, id: after, mode: mode)
        case UInt8(ascii: "M"), UInt8(ascii: "T"):
            return ChangedFile(action: .modified, path: path, id: after, mode: mode, oldID: before)
        case UInt8(ascii: "R"):
            guard let similarity = Int(String(decoding: fields[4].dropFirst(), as: UTF8.self)) else {
                throw self.misunderstood("similarity")
            }
            let target = try self.readLine(endingIn: 0)
            return ChangedFile(
                action: .renamed, path: target, id: after, mode: mode, oldID: before, oldPath: path,
                similarity: similarity)
        default:
            throw self.misunderstood("status")
        }
    }

    private func misunderstood(_ what: String) -> OriginError {
        OriginError(.gitFailed, "git diff-tree gave a \(what) that is not understood: \(self.complaint)")
    }
}
