import CAntares
import Glibc

/// Removes whole trees without following a link or leaving the mount they are on.
public enum TreeRemoval {
    /// Removes `name` under the directory `parent` and all below it; no error if there is nothing.
    ///
    /// What a job may have closed is opened: directories without permissions, files marked immutable or append-only. Where something is
    /// mounted the removal ends with EXDEV (a directory) or EBUSY (a file). Needs two descriptors and a constant stack however deep the
    /// tree is: it climbs by `..` and makes sure that it arrives where it came from (ESTALE if somebody moved a directory meanwhile).
    public static func remove(at parent: Int32, _ name: String) throws(SystemError) {
        let name = Array(name.utf8) + [0]
        if try unlinked(parent, name) { return }
        var here = try enter(parent, name)
        var levels = [try Level(name: name, directory: here.raw)]
        while true {
            if let entry = levels[levels.count - 1].pending.popLast() {
                if try unlinked(here.raw, entry) { continue }
                here = try enter(here.raw, entry)
                levels.append(try Level(name: entry, directory: here.raw))
                continue
            }
            let emptied = levels.removeLast()
            guard let above = levels.last else { return try removeDirectory(parent, emptied.name) }
            here = try open(here.raw, [0x2E, 0x2E, 0])
            guard try FileStatus(of: here.raw).identity == above.identity else {
                throw SystemError(.stale, "openat2(..)", text(emptied.name))
            }
            try removeDirectory(here.raw, emptied.name)
        }
    }

    /// A directory that is being emptied. Names end with a NUL.
    private struct Level {
        let name: [UInt8]
        let identity: FileStatus.Identity
        var pending: [[UInt8]]

        init(name: [UInt8], directory: Int32) throws(SystemError) {
            self.name = name
            identity = try FileStatus(of: directory).identity
            pending = try Directory.names(of: directory).map { $0 + [0] }
        }
    }

    /// Opens a directory and makes sure that its entries can be removed.
    private static func enter(_ parent: Int32, _ name: [UInt8]) throws(SystemError) -> OwnedFD {
        let directory: OwnedFD
        do {
            directory = try open(parent, name)
        } catch  where error.errno == .accessDenied {
            // Only root can look into a directory of mode 0; others first have to change the mode, without following a link.
            let place = try open(parent, name, flags: Directory.pathOnly | O_NOFOLLOW)
            try check(chmod("/proc/self/fd/\(place.raw)", 0o700), "chmod", text(name))
            directory = try open(parent, name)
        }
        if try FileStatus(of: directory.raw).mode & 0o700 != 0o700 {
            try check(fchmod(directory.raw, 0o700), "fchmod", text(name))
        }
        return directory
    }

    private static func open(
        _ parent: Int32, _ name: [UInt8], flags: Int32 = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
    ) throws(SystemError) -> OwnedFD {
        OwnedFD(
            taking: try retrying("openat2", text(name)) {
                withCString(name) { ant_openat2(parent, $0, UInt64(flags), 0, UInt64(RESOLVE_NO_XDEV)) }
            })
    }

    /// Whether `name` is gone now; false if it is a directory.
    private static func unlinked(_ parent: Int32, _ name: [UInt8]) throws(SystemError) -> Bool {
        var error = unlink(parent, name, 0)
        if error == .notPermitted {
            clearMarks(parent, name)
            error = unlink(parent, name, 0)
        }
        switch error {
        case nil, Errno.notFound: return true
        case Errno.isADirectory: return false
        case .some(let error): throw SystemError(error, "unlinkat", text(name))
        }
    }

    private static func removeDirectory(_ parent: Int32, _ name: [UInt8]) throws(SystemError) {
        var error = unlink(parent, name, AT_REMOVEDIR)
        if error == .notPermitted {
            clearMarks(parent, name)
            error = unlink(parent, name, AT_REMOVEDIR)
        }
        if let error, error != .notFound { throw SystemError(error, "unlinkat", text(name)) }
    }

    private static func unlink(_ parent: Int32, _ name: [UInt8], _ flags: Int32) -> Errno? {
        withCString(name) { unlinkat(parent, $0, flags) == 0 ? nil : Errno.current }
    }

    /// Takes the immutable and append-only marks from a directory and an entry of it. Devices and pipes are not opened: that may
    /// wait or do things.
    private static func clearMarks(_ parent: Int32, _ name: [UInt8]) {
        if let own = try? open(parent, [0x2E, 0]) { try? Directory.clearMarks(own.raw) }
        var status = stat()
        guard withCString(name, { fstatat(parent, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0,
            [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT),
            let entry = try? open(parent, name, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        else { return }
        try? Directory.clearMarks(entry.raw)
    }

    private static func withCString<Result>(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        name.withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }

    private static func text(_ name: [UInt8]) -> String {
        String(decoding: name.dropLast(), as: UTF8.self)
    }
}
