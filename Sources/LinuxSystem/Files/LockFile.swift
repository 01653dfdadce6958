import CAntares
import Glibc

/// A lock on a directory or store that one process holds: an flock(2) on a file that names the holder. The kernel lets go of
/// it when the holder dies, so a lock is never stale and nobody deletes anything by hand.
public struct LockFile: ~Copyable, Sendable {
    /// Who holds a lock that could not be had: the line the holder wrote.
    public struct Held: Error, Sendable, CustomStringConvertible {
        public let path: String
        public let holder: String

        public var description: String {
            "\(path) is locked by \(who)"
        }

        /// The start is for programs: it is counted in ticks.
        private var who: String {
            let words = holder.split(separator: " ", maxSplits: 4)
            guard words.count == 5, words[0] == "pid" else { return holder.isEmpty ? "another process" : holder }
            return "process \(words[1]) (\(words[4]))"
        }
    }

    public enum Failure: Error, Sendable {
        case held(Held)
        case system(SystemError)
    }

    private let file: OwnedFD

    /// Takes the lock and writes `pid N started T name` into the file. Throws `.held` at once if another process has it.
    public init(_ path: String, name: String, mode: UInt32 = 0o644) throws(Failure) {
        let file = try Self.open(path, mode)
        try Self.lock(file.raw, path)
        try Self.sign(file.raw, path, name)
        self.file = file
    }

    /// Throws `.held` if another process has the lock, without writing anything.
    public static func probe(_ path: String) throws(Failure) {
        let file = try open(path, 0o644)
        try lock(file.raw, path)
    }

    private static func sign(_ fd: Int32, _ path: String, _ name: String) throws(Failure) {
        do throws(SystemError) {
            try check(ftruncate(fd, 0), "ftruncate", path)
            let line = Array("\(ProcessIdentity.current) \(name)\n".utf8)
            try check(line.withUnsafeBytes { pwrite(fd, $0.baseAddress, $0.count, 0) }, "pwrite", path)
        } catch {
            throw .system(error)
        }
    }

    private static func open(_ path: String, _ mode: UInt32) throws(Failure) -> OwnedFD {
        do throws(SystemError) {
            return try File.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: mode)
        } catch {
            throw .system(error)
        }
    }

    private static func lock(_ fd: Int32, _ path: String) throws(Failure) {
        guard ant_try_lock(fd) == -1 else { return }
        let error = Errno.current
        guard error == .wouldBlock else { throw .system(SystemError(error, "flock", path)) }
        let holder = (try? File.text(path, limit: 4096)) ?? ""
        throw .held(Held(path: path, holder: holder.split(separator: "\n").first.map(String.init) ?? ""))
    }
}
