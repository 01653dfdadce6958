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
