import CAntares
import Glibc

/// Changes to mounts by path.
public enum Mounts {
    public enum Propagation: Sendable {
        case shared, `private`, slave
    }

    /// umount2(2) with UMOUNT_NOFOLLOW. EBUSY while something uses it.
    public static func unmount(_ path: String) throws(SystemError) {
        try check(umount2(path, Int32(UMOUNT_NOFOLLOW)), "umount2", path)
    }

    /// Takes the mount out of the tree at once; it ends when its last user lets go (MNT_DETACH).
    public static func detach(_ path: String) throws(SystemError) {
        try check(umount2(path, Int32(MNT_DETACH) | Int32(UMOUNT_NOFOLLOW)), "umount2(MNT_DETACH)", path)
    }

    public static func setPropagation(_ path: String, _ propagation: Propagation) throws(SystemError) {
        let flag =
            switch propagation {
            case .shared: UInt(MS_SHARED)
            case .private: UInt(MS_PRIVATE)
            case .slave: UInt(MS_SLAVE)
            }
        try check(ant_set_propagation(path, flag), "mount(MS_SHARED)", path)
    }

    /// The mount that is on top at `path`. Asks no filesystem to look at its server (O_PATH, AT_STATX_DONT_SYNC).
    public static func top(_ path: String) throws(SystemError) -> MountIdentity {
        let place = try File.open(path, Directory.pathOnly | O_NOFOLLOW)
        return try MountIdentity(of: place.raw)
    }
}
