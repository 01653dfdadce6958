import CAntares
import Glibc

/// Copies files, links and directories by descriptor, without following a link on either side.
///
/// A file or link replaces what has its name in one step (a temporary file and rename(2)); a directory is merged with the one that is
/// there. Permissions (not set-id bits) and modification times are kept, owners are not. Names are bytes.
public struct TreeCopy {
    public struct Result: Hashable, Sendable {
        public var files = 0
        public var bytes: UInt64 = 0
        /// Entries that are no file, link or directory, by path.
        public var skipped: [String] = []
    }

    public private(set) var result = Result()
    /// Asked now and then; true ends the copy with ECANCELED.
    private let isCancelled: () -> Bool

    public init(isCancelled: @escaping () -> Bool = { false }) {
        self.isCancelled = isCancelled
    }

    /// Copies the open file or directory `source` to `name` in `directory`.
    public mutating func copy(_ source: borrowing OwnedFD, to directory: Int32, _ name: String) throws(SystemError) {
        var status = stat()
        try check(fstat(source.raw, &status), "fstat", name)
        let bytes = Array(name.utf8)
        switch status.st_mode & S_IFMT {
        case S_IFDIR: try copyDirectory(source.raw, status, to: directory, bytes, path: name)
        case S_IFREG: try copyFile(source.raw, status, to: directory, bytes, path: name)
        default: result.skipped.append(name)
        }
    }

    private mutating func copyEntry(
        _ source: Int32, _ name: [UInt8], to target: Int32, path: String
    ) throws(SystemError) {
        if isCancelled() { throw SystemError(.cancelled, "copy", path) }
        let terminated = Self.terminated(name)
        var status = stat()
        try check(fstatat(source, terminated, &status, AT_SYMLINK_NOFOLLOW), "fstatat", path)
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            let directory = try open(source, terminated, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, path)
            try copyDirectory(directory.raw, status, to: target, name, path: path)
        case S_IFREG:
            let file = try open(source, terminated, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, path)
            try copyFile(file.raw, status, to: target, name, path: path)
        case S_IFLNK:
            try copyLink(source, terminated, to: target, name, path: path)
        default:
            result.skipped.append(path)
        }
    }

    private mutating func copyDirectory(
        _ source: Int32, _ status: stat, to parent: Int32, _ name: [UInt8], path: String
    ) throws(SystemError) {
        let terminated = Self.terminated(name)
        let isNew = mkdirat(parent, terminated, 0o700) == 0
        if !isNew, Errno.current != .exists { throw SystemError(Errno.current, "mkdirat", path) }
        let target = try open(parent, terminated, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, path)
        for entry in try Directory.names(of: source) {
            try copyEntry(source, entry, to: target.raw, path: path + "/" + String(decoding: entry, as: UTF8.self))
        }
        if isNew {
            try check(fchmod(target.raw, status.st_mode & 0o777), "fchmod", path)
            try setTime(target.raw, status, path)
        }
    }

    private mutating func copyFile(
        _ source: Int32, _ status: stat, to parent: Int32, _ name: [UInt8], path: String
    ) throws(SystemError) {
        let temporary = Self.temporaryName()
        let target = try open(parent, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, path)
        do throws(SystemError) {
            try copyBytes(source, target.raw, path)
            try check(fchmod(target.raw, status.st_mode & 0o777), "fchmod", path)
            try setTime(target.raw, status, path)
            try check(renameat(parent, temporary, parent, Self.terminated(name)), "rename", path)
        } catch {
            unlinkat(parent, temporary, 0)
            throw error
        }
        result.files += 1
    }

    private mutating func copyBytes(_ source: Int32, _ target: Int32, _ path: String) throws(SystemError) {
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            if isCancelled() { throw SystemError(.cancelled, "copy", path) }
            let n = try retrying("read", path) {
                chunk.withUnsafeMutableBytes { read(source, $0.baseAddress, $0.count) }
            }
            if n == 0 { return }
            var done = 0
            while done < n {
                done += try retrying("write", path) {
                    chunk.withUnsafeBytes { write(target, $0.baseAddress! + done, n - done) }
                }
            }
            result.bytes += UInt64(n)
        }
    }

    private mutating func copyLink(
        _ source: Int32, _ terminated: [CChar], to parent: Int32, _ name: [UInt8], path: String
    ) throws(SystemError) {
        var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        try check(readlinkat(source, terminated, &text, Int(PATH_MAX)), "readlinkat", path)
        let temporary = Self.temporaryName()
        try check(symlinkat(text, parent, temporary), "symlinkat", path)
        guard renameat(parent, temporary, parent, Self.terminated(name)) == 0 else {
            let error = Errno.current
            unlinkat(parent, temporary, 0)
            throw SystemError(error, "rename", path)
        }
        result.files += 1
    }

    private func open(
        _ directory: Int32, _ terminated: [CChar], _ flags: Int32, _ path: String
    ) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try retrying("openat", path) { ant_openat(directory, terminated, flags, 0o600) })
    }

    private func setTime(_ fd: Int32, _ status: stat, _ path: String) throws(SystemError) {
        let times = [status.st_mtim, status.st_mtim]
        try check(futimens(fd, times), "futimens", path)
    }

    private static func terminated(_ name: [UInt8]) -> [CChar] {
        name.map { CChar(bitPattern: $0) } + [0]
    }

    private static func temporaryName() -> [CChar] {
        terminated(Array(".copy-\(String(UInt64.random(in: 0 ... .max), radix: 36))".utf8))
    }
}
