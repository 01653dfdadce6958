import CAntares
import Glibc

/// A mount that is attached to no path. It goes away with its descriptor unless it was attached or is a layer of another filesystem.
public struct DetachedMount: ~Copyable, Sendable {
    private let file: OwnedFD

    init(_ file: consuming OwnedFD) {
        self.file = file
    }

    /// A detached copy of the mount at `path` (open_tree(2) OPEN_TREE_CLONE).
    public init(cloning path: String) throws(SystemError) {
        file = OwnedFD(taking: try check(ant_clone_tree(AT_FDCWD, path), "open_tree", path))
    }

    /// The mount's root, for use as a layer or as a base of openat(2).
    public var raw: Int32 {
        file.raw
    }

    /// The unique id of the mount (statx(2) STATX_MNT_ID_UNIQUE), never used again before the next boot.
    public func identity() throws(SystemError) -> MountIdentity {
        try MountIdentity(of: file.raw)
    }

    /// The device number that stat(2) shows for files of this filesystem's root; answered from memory (AT_STATX_DONT_SYNC).
    public func device() throws(SystemError) -> UInt64 {
        var status = stat()
        try check(fstat(file.raw, &status), "fstat")
        return UInt64(status.st_dev)
    }

    /// Ends the filesystem at once: what is not on its device yet is dropped, and whoever still uses it gets EIO (FS_IOC_SHUTDOWN). Throws
    /// ENOTTY where the filesystem knows no such thing.
    public func shutDown() throws(SystemError) {
        try check(ant_filesystem_shut_down(file.raw), "FS_IOC_SHUTDOWN")
    }

    /// Makes the mount visible at the directory `target` (move_mount(2)): one atomic step. With `beneath`, below the mount that is there.
    public func attach(at target: Int32, beneath: Bool = false) throws(SystemError) {
        try check(ant_move_mount(file.raw, target, beneath ? 1 : 0), "move_mount")
    }
}

/// A mount by its unique id.
public struct MountIdentity: Hashable, Sendable {
    public let id: UInt64

    public init(id: UInt64) {
        self.id = id
    }

    /// The mount that `fd` is on.
    public init(of fd: Int32) throws(SystemError) {
        var id: UInt64 = 0
        try check(ant_unique_mount_id(fd, &id), "statx(STATX_MNT_ID_UNIQUE)")
        self.id = id
    }

    /// Whether the mount is attached in the caller's mount namespace (statmount(2)). Touches no filesystem.
    public func isAttached() throws(SystemError) -> Bool {
        if ant_mount_exists(id) == 0 { return true }
        let error = Errno.current
        if error == .notFound { return false }
        throw SystemError(error, "statmount", "\(id)")
    }
}

extension MountIdentity {
    /// What the kernel says of an attached mount without touching its filesystem (statmount(2)).
    public struct Facts: Hashable, Sendable {
        /// The superblock's device number, as mountinfo and maps of /proc show it.
        public let device: DeviceNumber
        /// The mount's id in /proc/PID/mountinfo; used again after its end.
        public let tableID: Int

        public init(device: DeviceNumber, tableID: Int) {
            self.device = device
            self.tableID = tableID
        }
    }

    /// Nil if the mount is not attached in the caller's namespace.
    public func facts() throws(SystemError) -> Facts? {
        var facts = ant_mount_facts()
        if ant_mount_facts(id, &facts) == 0 {
            return Facts(device: DeviceNumber(major: facts.major, minor: facts.minor), tableID: Int(facts.old_id))
        }
        let error = Errno.current
        if error == .notFound { return nil }
        throw SystemError(error, "statmount", "\(id)")
    }

    /// The mountinfo id of the mount that a path leads to, links of /proc included; waits for no server.
    public static func tableID(at path: String) throws(SystemError) -> Int {
        var id: UInt32 = 0
        try check(ant_path_mount_id(path, &id), "statx(STATX_MNT_ID)", path)
        return Int(id)
    }
}

/// A device number as text, `MAJOR:MINOR` in decimal (proc(5), mountinfo).
public struct DeviceNumber: Hashable, Sendable, CustomStringConvertible {
    public let major: UInt32
    public let minor: UInt32

    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// `MAJOR:MINOR`; maps of /proc have it in hexadecimal.
    public init?(_ text: some StringProtocol, radix: Int = 10) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = UInt32(parts[0], radix: radix), let minor = UInt32(parts[1], radix: radix)
        else { return nil }
        self.init(major: major, minor: minor)
    }

    public var description: String {
        "\(major):\(minor)"
    }
}
