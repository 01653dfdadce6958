import CAntares
import Glibc

/// Files by path and by descriptor: open(2), pread(2), write(2), rename(2), fsync(2).
public enum File {
    /// Flags of a descriptor that only names a file, which may be a link and is not opened (O_PATH).
    public static let pathOnly = Int32(ANT_O_PATH) | O_NOFOLLOW
    /// Reading leaves no trace (O_NOATIME); for root and the owner.
    public static let noAccessTime = Int32(ANT_O_NOATIME)

    /// Opens a file; the descriptor is close-on-exec.
    public static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try retrying("open", path) { ant_open(path, flags, mode) })
    }

    public static func open(
        at directory: Int32, _ path: String, _ flags: Int32, mode: UInt32 = 0
    ) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try retrying("openat", path) { ant_openat(directory, path, flags, mode) })
    }

    /// Reads until `buffer` is full or the file ends; the count of bytes read.
    public static func read(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            let n = try retrying("pread") {
                pread(fd, buffer.baseAddress! + done, buffer.count - done, off_t(offset) + off_t(done))
            }
            if n == 0 { break }
            done += n
        }
        return done
    }

    /// Writes all bytes at the descriptor's position.
    public static func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retrying("write") { Glibc.write(fd, bytes.baseAddress! + done, bytes.count - done) }
        }
    }

    /// Writes all bytes at `offset`.
    public static func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retrying("pwrite") {
                pwrite(fd, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            }
        }
    }

    /// The whole file, at most `limit` bytes (EMSGSIZE if it is longer). Works for files of /proc, whose size is 0.
    public static func contents(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
        let file = try open(path, O_RDONLY)
        return try contents(of: file.raw, path, limit: limit)
    }

    public static func contents(
        of fd: Int32, _ name: String = "", limit: Int = 1 << 20
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(limit + 1, 16384))
        while true {
            let n = try retrying("read", name) {
                chunk.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress, $0.count) }
            }
            if n == 0 { return bytes }
            bytes.append(contentsOf: chunk[0..<n])
            if bytes.count > limit { throw SystemError(.messageTooLong, "read", name) }
        }
    }

    /// What is in a regular file, and what stat(2) says of it. Anything else is EINVAL: who opens a FIFO waits until somebody writes to it.
    public static func regular(
        _ path: String, limit: Int = 1 << 20
    ) throws(SystemError) -> (bytes: [UInt8], status: FileStatus) {
        let file = try open(path, O_RDONLY | O_NONBLOCK)
        let status = try FileStatus(of: file.raw)
        guard status.mode & S_IFMT == S_IFREG else {
            throw SystemError(.invalidArgument, "read", path, detail: "it is no regular file")
        }
        return (try contents(of: file.raw, path, limit: limit), status)
    }

    /// The whole file as text; bytes that are not UTF-8 are replaced.
    public static func text(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> String {
        String(decoding: try contents(path, limit: limit), as: UTF8.self)
    }

    /// Replaces a file so that a reader, and a crash at any moment, sees the old or the new contents and nothing between:
    /// a temporary file beside it, fsync(2), rename(2), fsync of the directory.
    ///
    /// Without `durable` nothing is synced: for files on a tmpfs.
    public static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600, durable: Bool = true
    ) throws(SystemError) {
        let temporary = path + ".new"
        do {
            let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
            try unsafeBytes(bytes) { (buffer) throws(SystemError) in try write(file.raw, buffer) }
            if durable { try check(fsync(file.raw), "fsync", temporary) }
        }
        try check(Glibc.rename(temporary, path), "rename", path)
        guard durable else { return }
        let directory = try open(parent(of: path), O_RDONLY | O_DIRECTORY)
        try check(fsync(directory.raw), "fsync", path)
    }

    /// Renames a file (renameat2(2)). False, and nothing is changed, if it is not to replace another and there is one.
    public static func rename(
        at directory: Int32, _ name: String, to target: Int32, _ newName: String, replacing: Bool
    ) throws(SystemError) -> Bool {
        if ant_rename(directory, name, target, newName, replacing ? 1 : 0) == 0 { return true }
        let error = Errno.current
        if !replacing, error == .exists { return false }
        throw SystemError(error, "renameat2", newName)
    }

    /// Where a symbolic link points (readlink(2)).
    public static func linkTarget(_ path: String) throws(SystemError) -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try check(
            buffer.withUnsafeMutableBytes {
                readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
            }, "readlink", path)
        return String(decoding: buffer[0..<count], as: UTF8.self)
    }

    /// Where the symbolic link points that `fd` was opened to be (O_PATH and O_NOFOLLOW): at most 4095 bytes, any but NUL.
    public static func linkTarget(of fd: Int32) throws(SystemError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = try check(
            buffer.withUnsafeMutableBytes {
                readlinkat(fd, "", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
            }, "readlinkat")
        return Array(buffer[0..<count])
    }

    /// Removes a file; no error if there is none.
    public static func remove(_ path: String) throws(SystemError) {
        if unlink(path) == -1, Errno.current != .notFound {
            throw SystemError(Errno.current, "unlink", path)
        }
    }

    public static func size(of fd: Int32) throws(SystemError) -> UInt64 {
        var status = stat()
        try check(fstat(fd, &status), "fstat")
        return UInt64(status.st_size)
    }

    /// Whether the page cache holds any of the file (cachestat(2), Linux 6.5); false where the kernel does not tell.
    public static func isResident(_ fd: Int32) -> Bool {
        ant_cached_pages(fd) > 0
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func unsafeBytes(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(SystemError) -> Void
    ) throws(SystemError) {
        let result: Result<Void, SystemError> = bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                return .success(try body(buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Asks for the list of extended attributes, so that the kernel knows whether the file has any, or its filesystem none.
    public static func learnExtendedAttributes(of fd: Int32) throws(SystemError) {
        if ant_xattr_list_size(fd) == -1, errno != EOPNOTSUPP { throw SystemError(Errno.current, "flistxattr", "") }
    }

    /// Gives a file an extended attribute, or another value of it (setxattr(2)); the descriptor may be one of O_PATH. EOPNOTSUPP where the filesystem has none.
    public static func setExtendedAttribute(
        _ name: String, of fd: Int32, to value: [UInt8]
    ) throws(SystemError) {
        let result = value.withUnsafeBytes { ant_xattr_set(fd, name, $0.baseAddress, UInt64($0.count)) }
        try check(result, "setxattr", name)
    }
}
