import CAntares
import Glibc

/// What stat(2) says of a file.
public struct FileStatus: Sendable {
    /// Which file it is: no two files of a machine have the same at one time.
    public struct Identity: Hashable, Sendable {
        public let device: UInt64
        public let inode: UInt64
    }

    public let identity: Identity
    /// Type and permissions, as st_mode.
    public let mode: UInt32
    public let uid: UInt32
    public let gid: UInt32
    /// Bytes.
    public let size: UInt64
    /// When the contents were changed: seconds after 1970, and the rest.
    public let modified: (seconds: Int64, nanoseconds: Int64)
    /// The device that a device file stands for; 0 is none, as in an overlay's mark of what was deleted.
    public let represented: UInt64

    /// Follows symbolic links.
    public init(of path: String) throws(SystemError) {
        var status = stat()
        try check(stat(path, &status), "stat", path)
        self.init(status)
    }

    public init(of fd: Int32) throws(SystemError) {
        var status = stat()
        try check(fstat(fd, &status), "fstat")
        self.init(status)
    }

    /// Of an entry of a directory, which may be a link (fstatat(2)).
    public init(at directory: Int32, _ name: [UInt8]) throws(SystemError) {
        var status = stat()
        try check(
            Directory.withCString(name) { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }, "fstatat",
            String(decoding: name, as: UTF8.self))
        self.init(status)
    }

    private init(_ status: stat) {
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        mode = status.st_mode
        uid = status.st_uid
        gid = status.st_gid
        size = UInt64(status.st_size)
        modified = (Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec))
        represented = UInt64(status.st_rdev)
    }
}
