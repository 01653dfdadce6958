import CAntares
import Glibc

/// Changes to mounts by path.
public enum Mounts {
    /// umount2(2) with UMOUNT_NOFOLLOW. EBUSY while something uses it.
    public static func unmount(_ path: String) throws(SystemError) {
        try check(ant_unmount(path, 0), "umount2", path)
    }

    /// Takes the mount out of the tree at once; it ends when its last user lets go (MNT_DETACH).
    public static func detach(_ path: String) throws(SystemError) {
        try check(ant_unmount(path, 1), "umount2(MNT_DETACH)", path)
    }

    /// Makes the mount at `path` shared: mounts made in it later appear in the namespaces that have a copy of it (mount_namespaces(7)).
    public static func makeShared(_ path: String) throws(SystemError) {
        try check(ant_make_shared(path), "mount(MS_SHARED)", path)
    }

    /// The mount that is on top at `path`. Asks no filesystem to look at its server (O_PATH, AT_STATX_DONT_SYNC).
    public static func top(_ path: String) throws(SystemError) -> MountIdentity {
        let place = try File.open(path, Directory.pathOnly | O_NOFOLLOW)
        return try MountIdentity(of: place.raw)
    }
}
