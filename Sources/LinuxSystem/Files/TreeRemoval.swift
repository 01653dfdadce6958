import CAntares
import Glibc

/// Removes whole trees without following a link or leaving the filesystem they are on.
public enum TreeRemoval {
    /// Removes `name` under the directory `parent` and all below it. Directories without permissions are opened up first (a job may
    /// have closed them); a directory on another device (something is mounted there) ends the removal with EXDEV. No error if
    /// there is nothing. Works depth first with an explicit stack: a tree may be deeper than a thread's stack allows.
    public static func remove(at parent: Int32, _ name: String) throws(SystemError) {
        try remove(at: parent, Array(name.utf8) + [0])
    }

    private struct Level {
        let fd: Int32
        let name: [UInt8]
        var pending: [[UInt8]]
    }

    private static func remove(at parent: Int32, _ name: [UInt8]) throws(SystemError) {
        if unlinked(parent, name, 0) { return }
        guard Errno.current == .isADirectory || Errno.current == .notPermitted else {
            if Errno.current == .notFound { return }
            throw SystemError(Errno.current, "unlinkat", text(name))
        }
        var device: dev_t = 0
        var levels: [Level] = []
        defer { for level in levels { close(level.fd) } }
        levels.append(try enter(parent, name, device: &device))
        while var level = levels.popLast() {
            if let entry = level.pending.popLast() {
                levels.append(level)
                if unlinked(level.fd, entry, 0) || Errno.current == .notFound { continue }
                guard Errno.current == .isADirectory || Errno.current == .notPermitted else {
                    throw SystemError(Errno.current, "unlinkat", text(entry))
                }
                levels.append(try enter(level.fd, entry, device: &device))
            } else {
                close(level.fd)
                let above = levels.last?.fd ?? parent
                if !unlinked(above, level.name, AT_REMOVEDIR), Errno.current != .notFound {
                    throw SystemError(Errno.current, "unlinkat", text(level.name))
                }
            }
        }
    }

    private static func enter(_ parent: Int32, _ name: [UInt8], device: inout dev_t) throws(SystemError) -> Level {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        var fd = name.withUnsafeBufferPointer { ant_openat(parent, asCString($0), flags, 0) }
        if fd == -1, Errno.current == .accessDenied {
            _ = name.withUnsafeBufferPointer { fchmodat(parent, asCString($0), 0o700, 0) }
            fd = name.withUnsafeBufferPointer { ant_openat(parent, asCString($0), flags, 0) }
        }
        let owned = OwnedFD(taking: try check(fd, "openat", text(name)))
        var status = stat()
        try check(fstat(owned.raw, &status), "fstat", text(name))
        if device == 0 { device = status.st_dev }
        if status.st_dev != device { throw SystemError(.crossDevice, "remove", text(name)) }
        let pending = try Directory.names(of: owned.raw).map { $0 + [0] }
        return Level(fd: owned.take(), name: name, pending: pending)
    }

    private static func unlinked(_ parent: Int32, _ name: [UInt8], _ flags: Int32) -> Bool {
        name.withUnsafeBufferPointer { unlinkat(parent, asCString($0), flags) } == 0
    }

    private static func asCString(_ name: UnsafeBufferPointer<UInt8>) -> UnsafePointer<CChar> {
        UnsafeRawPointer(name.baseAddress!).assumingMemoryBound(to: CChar.self)
    }

    private static func text(_ name: [UInt8]) -> String {
        String(decoding: name.dropLast(), as: UTF8.self)
    }
}
