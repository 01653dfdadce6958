import Glibc
import LinuxSystem

/// The overlay that a job works in: its private upper over the lower.
enum OverlayMount {
    /// Makes the overlay, attached nowhere.
    ///
    /// `redirect_dir=on`: rename(2) of a lower directory works. `volatile`: no fsync ever, since an upper is thrown away and a plain
    /// unmount would sync the whole filesystem. `xino`, `index` and `nfs_export` off: what overlayfs falls back to over FUSE, said aloud
    /// so that it does not warn. See Documentation/filesystems/overlayfs.rst. Blocks while the lower answers.
    static func make(lower: borrowing LowerMount, upper: UpperDirectory) throws(SystemError) -> DetachedMount {
        let upperFD = try Directory.open(upper.upperPath)
        let workFD = try Directory.open(upper.workPath)
        let context = try FilesystemContext("overlay")
        try context.set("source", "antares")
        try context.set("lowerdir+", fd: lower.root)
        try context.set("upperdir", fd: upperFD.raw)
        try context.set("workdir", fd: workFD.raw)
        try context.set("redirect_dir", "on")
        try context.set("xino", "off")
        try context.set("index", "off")
        try context.set("nfs_export", "off")
        try context.set("volatile")
        try context.create()
        return try context.mount([.noSetuid, .noDevices])
    }
}
