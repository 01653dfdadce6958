import CAntares
import Glibc

/// Directories by descriptor, so that no step follows a link or a name that somebody swaps meanwhile.
public enum Directory {
    /// How openat2(2) may resolve a path.
    public struct Resolution: OptionSet, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }
        /// Never leaves the directory it starts at (RESOLVE_BENEATH).
        public static let beneath = Resolution(rawValue: UInt64(RESOLVE_BENEATH))
        /// Follows no symbolic link in any component (RESOLVE_NO_SYMLINKS), nor links of /proc (RESOLVE_NO_MAGICLINKS).
        public static let noLinks = Resolution(rawValue: UInt64(RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS))
        /// Crosses no mount (RESOLVE_NO_XDEV).
        public static let sameMount = Resolution(rawValue: UInt64(RESOLVE_NO_XDEV))
    }

    /// Flags of a descriptor that only names a directory, for use as a base of further calls (O_PATH).
    public static let pathOnly = Int32(ANT_O_PATH) | O_DIRECTORY

    /// Opens a directory for use as a base of further calls.
    public static func open(_ path: String) throws(SystemError) -> OwnedFD {
        try File.open(path, pathOnly)
    }

    public static func open(
        beneath base: Int32, _ path: String, flags: Int32 = Directory.pathOnly,
        resolve: Resolution = [.beneath, .noLinks]
    ) throws(SystemError) -> OwnedFD {
        OwnedFD(
            taking: try retrying("openat2", path) {
                ant_openat2(base, path, UInt64(UInt32(bitPattern: flags)), 0, resolve.rawValue)
            })
    }

    /// As above, with a path that need not be text. It must not have a NUL, as no name on a disk has.
    public static func open(
        beneath base: Int32, bytes path: [UInt8], flags: Int32, resolve: Resolution = [.beneath, .noLinks, .sameMount]
    ) throws(SystemError) -> OwnedFD {
        OwnedFD(
            taking: try retrying("openat2", String(decoding: path, as: UTF8.self)) {
                withCString(path) { ant_openat2(base, $0, UInt64(UInt32(bitPattern: flags)), 0, resolve.rawValue) }
            })
    }

    static func withCString<Result>(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (name + [0]).withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }

    /// Makes a directory and its parents; one that exists is left as it is.
    public static func create(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
        if mkdir(path, mode) == 0 { return }
        switch Errno.current {
        case .exists:
            var status = stat()
            try check(stat(path, &status), "stat", path)
            if status.st_mode & S_IFMT != S_IFDIR { throw SystemError(.notADirectory, "mkdir", path) }
        case .notFound where path.contains("/") && path != "/":
            try create(File.parent(of: path), mode: mode)
            if mkdir(path, mode) == -1, Errno.current != .exists { throw SystemError(Errno.current, "mkdir", path) }
        case let error:
            throw SystemError(error, "mkdir", path)
        }
    }

    /// Makes each missing component of `path` beneath `base` without following a link, and opens the last one. The
    /// components that this call made are added to `made`, outermost first, so that they can be taken away again.
    public static func create(
        beneath base: Int32, _ path: String, mode: UInt32, made: inout [String]
    ) throws(SystemError) -> OwnedFD {
        var prefix = ""
        for component in path.split(separator: "/", omittingEmptySubsequences: true) {
            if component == "." || component == ".." { throw SystemError(.invalidArgument, "openat2", path) }
            let parent = try prefix.isEmpty ? open(beneath: base, ".") : open(beneath: base, prefix)
            prefix = prefix.isEmpty ? String(component) : prefix + "/" + component
            if mkdirat(parent.raw, String(component), mode) == 0 {
                made.append(prefix)
            } else if Errno.current != .exists {
                throw SystemError(Errno.current, "mkdirat", prefix)
            }
        }
        return try prefix.isEmpty ? open(beneath: base, ".") : open(beneath: base, prefix)
    }

    /// The names in a directory, without `.` and `..`, as bytes and in the kernel's order.
    public static func names(of fd: Int32) throws(SystemError) -> [[UInt8]] {
        let own = try File.open(at: fd, ".", O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(own.raw) else { throw SystemError(Errno.current, "fdopendir") }
        _ = own.take()
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw SystemError(Errno.current, "readdir") }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                let text = UnsafeRawBufferPointer(start: field, count: MemoryLayout.size(ofValue: field.pointee))
                return Array(text.prefix { $0 != 0 })
            }
            if name != [0x2E] && name != [0x2E, 0x2E] { names.append(name) }
        }
    }

    public static func names(_ path: String) throws(SystemError) -> [[UInt8]] {
        let directory = try File.open(path, O_RDONLY | O_DIRECTORY)
        return try names(of: directory.raw)
    }

    /// Sets or clears the immutable flag (FS_IOC_SETFLAGS, chattr(1) `i`). EOPNOTSUPP where the filesystem has none.
    public static func setImmutable(_ fd: Int32, _ on: Bool) throws(SystemError) {
        try changeMarks(fd) { on ? $0 | immutable : $0 & ~immutable }
    }

    /// Says that what lies in a directory has nothing to do with each other (chattr(1) `T`): ext4 spreads its directories over the block groups,
    /// instead of filling one after another (fs/ext4/ialloc.c, `find_group_orlov`). EOPNOTSUPP or ENOTTY where the filesystem does not know it.
    public static func setUnrelatedChildren(_ fd: Int32) throws(SystemError) {
        try changeMarks(fd) { $0 | topOfHierarchy }
    }

    /// Clears the immutable and the append-only flag of a file or directory.
    static func clearMarks(_ fd: Int32) throws(SystemError) {
        try changeMarks(fd) { $0 & ~(immutable | appendOnly) }
    }

    // FS_IMMUTABLE_FL, FS_APPEND_FL and FS_TOPDIR_FL of include/uapi/linux/fs.h.
    private static let immutable: UInt32 = 0x10
    private static let appendOnly: UInt32 = 0x20
    private static let topOfHierarchy: UInt32 = 0x20000

    private static func changeMarks(_ fd: Int32, _ change: (UInt32) -> UInt32) throws(SystemError) {
        var flags: UInt32 = 0
        try check(ant_get_inode_flags(fd, &flags), "ioctl(FS_IOC_GETFLAGS)")
        let wanted = change(flags)
        if wanted != flags { try check(ant_set_inode_flags(fd, wanted), "ioctl(FS_IOC_SETFLAGS)") }
    }
}
