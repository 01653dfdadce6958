import GitObjects
import Glibc
import LinuxSystem
import Synchronization

/// The files of a store: `objects/ab/cdef…`, each a verified blob, read-only and complete from the moment its name exists.
///
/// New contents are written under `incoming/` and renamed. There is no fsync: after a power cut a file can be shorter than it
/// was, so every opening compares the size with the index, and a file that differs is set aside and fetched again.
final class ObjectStore: Sendable {
    private let objects: OwnedFD
    private let incoming: OwnedFD
    private let quarantined: OwnedFD
    private let nextName = Atomic<UInt64>(0)

    /// What was found where an object should be.
    enum Opened: Sendable {
        case file(SharedFD)
        case absent
        /// It has another size than it must have.
        case damaged
    }

    /// Opens or makes the directories below `directory` and removes what an earlier owner left half-written.
    init(_ directory: String) throws(SystemError) {
        for name in ["objects", "incoming", "quarantine"] { try Directory.create("\(directory)/\(name)", mode: 0o755) }
        objects = try Directory.open("\(directory)/objects")
        incoming = try Directory.open("\(directory)/incoming")
        quarantined = try Directory.open("\(directory)/quarantine")
        for high in 0..<256 {
            let name = String(UInt8(high).hexPair)
            if mkdirat(objects.raw, name, 0o755) == -1, Errno.current != .exists {
                throw SystemError(Errno.current, "mkdirat", "\(directory)/objects/\(name)")
            }
        }
        for name in try Directory.names(of: incoming.raw) {
            try TreeRemoval.remove(at: incoming.raw, String(decoding: name, as: UTF8.self))
        }
    }

    private static func name(of id: ObjectID) -> String {
        var text = id.hex
        text.insert("/", at: text.index(text.startIndex, offsetBy: 2))
        return text
    }

    /// Opens an object for reading if it has exactly `size` bytes.
    func open(_ id: ObjectID, size: UInt64) throws(SystemError) -> Opened {
        do throws(SystemError) {
            let file = SharedFD(try File.open(at: objects.raw, Self.name(of: id), O_RDONLY | O_NOFOLLOW))
            return try File.size(of: file.raw) == size ? .file(file) : .damaged
        } catch  where error.errno == .notFound {
            return .absent
        }
    }

    /// A new file that nobody can see as an object yet.
    func create() throws(SystemError) -> IncomingFile {
        let number = nextName.add(1, ordering: .relaxed).newValue
        let name = "\(getpid())-\(number)"
        let file = try File.open(
            at: incoming.raw, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o444)
        return IncomingFile(file: file, directory: incoming.raw, name: name)
    }

    /// Gives verified contents their name and reopens them for reading only.
    func publish(_ contents: borrowing IncomingFile, as id: ObjectID) throws(SystemError) -> OwnedFD {
        let name = Self.name(of: id)
        try check(renameat(incoming.raw, contents.name, objects.raw, name), "renameat", name)
        return try File.open(at: objects.raw, name, O_RDONLY | O_NOFOLLOW)
    }

    /// Writes and names verified contents.
    func publish(_ contents: [UInt8], as id: ObjectID) throws(SystemError) {
        let file = try create()
        try contents.span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in try file.write(bytes) }
        try check(renameat(incoming.raw, file.name, objects.raw, Self.name(of: id)), "renameat", id.hex)
    }

    /// Sets a damaged object aside, where it can be looked at but is never served.
    func quarantine(_ id: ObjectID) throws(SystemError) {
        if renameat(objects.raw, Self.name(of: id), quarantined.raw, id.hex) == -1, Errno.current != .notFound {
            throw SystemError(Errno.current, "renameat", id.hex)
        }
    }
}

/// A file under `incoming/`; removed when it is let go of without having been published.
struct IncomingFile: ~Copyable {
    private let file: OwnedFD
    private let directory: Int32
    let name: String

    init(file: consuming OwnedFD, directory: Int32, name: String) {
        self.file = file
        self.directory = directory
        self.name = name
    }

    deinit {
        // After publishing there is nothing of this name.
        unlinkat(directory, name, 0)
    }

    borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try File.write(file.raw, bytes)
    }

    /// For reading back what was written.
    var raw: Int32 { file.raw }
}

extension UInt8 {
    var hexPair: String {
        let digits = String(self, radix: 16)
        return digits.utf8.count == 1 ? "0" + digits : digits
    }
}
