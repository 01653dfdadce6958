import CAntares
import Glibc

/// Limits for all files that bear the same project id, on the filesystem of one directory: quotactl_fd(2) (Linux 5.14), FS_IOC_FSSETXATTR.
public struct ProjectQuota: Sendable {
    /// What a project has, and the most that it may have.
    public struct State: Hashable, Sendable {
        public var bytes: UInt64
        public var inodes: UInt64
        /// 0 is no limit.
        public var byteLimit: UInt64
        public var inodeLimit: UInt64

        public init(bytes: UInt64 = 0, inodes: UInt64 = 0, byteLimit: UInt64 = 0, inodeLimit: UInt64 = 0) {
            self.bytes = bytes
            self.inodes = inodes
            self.byteLimit = byteLimit
            self.inodeLimit = inodeLimit
        }

        /// Whether no file bears the id.
        public var isEmpty: Bool { bytes == 0 && inodes == 0 }
    }

    /// A directory of the filesystem.
    public let path: String

    public init(at path: String) {
        self.path = path
    }

    /// Whether limits of projects are enforced there: ext4 and XFS do so if they are mounted with `prjquota`. False, too, where the filesystem or
    /// the kernel has no such thing. Throws EPERM where the call is forbidden.
    public func isEnforced() throws(SystemError) -> Bool {
        let place = try Self.directory(path)
        do throws(SystemError) {
            return try check(ant_enforces_projects(place.raw), "quotactl_fd(Q_XGETQSTAT)", path) == 1
        } catch  where [.notImplemented, .notSupported, .invalidArgument, .noSuchProcess].contains(error.errno) {
            return false
        }
    }

    /// Of a project that was never used, nothing.
    public func state(of project: UInt32) throws(SystemError) -> State {
        let place = try Self.directory(path)
        var found = ant_project_quota()
        do throws(SystemError) {
            try check(ant_get_project_quota(place.raw, project, &found), "quotactl_fd(Q_GETQUOTA)", path)
        } catch  where error.errno == .notFound || error.errno == .noSuchProcess {
            return State()
        }
        return State(
            bytes: found.bytes, inodes: found.inodes, byteLimit: found.byte_limit, inodeLimit: found.inode_limit)
    }

    /// Sets what a project may have at most; 0 is no limit. Who goes beyond gets EDQUOT (ext4) or ENOSPC (XFS). Bytes count in whole KiB.
    public func limit(_ project: UInt32, bytes: UInt64, inodes: UInt64) throws(SystemError) {
        let place = try Self.directory(path)
        try check(ant_set_project_limits(place.raw, project, bytes, inodes), "quotactl_fd(Q_SETQUOTA)", path)
    }

    /// Gives a directory (opened for reading) a project id, which everything inherits that is made in it from now on. What is in it keeps its own, and
    /// rename(2) and link(2) from one id to another answer EXDEV.
    public static func assign(_ project: UInt32, to directory: Int32) throws(SystemError) {
        try check(ant_set_project(directory, project), "ioctl(FS_IOC_FSSETXATTR)")
    }

    /// The project id of a directory; 0 if it has none.
    public static func project(of path: String) throws(SystemError) -> UInt32 {
        let directory = try directory(path)
        var project: UInt32 = 0
        try check(ant_get_project(directory.raw, &project), "ioctl(FS_IOC_FSGETXATTR)", path)
        return project
    }

    private static func directory(_ path: String) throws(SystemError) -> OwnedFD {
        try File.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }
}
