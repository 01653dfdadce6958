import Glibc
import LinuxSystem

/// The overlay that a job works in: its private upper over the lower.
enum OverlayMount {
    /// What the mount table shows as source where the upper's path tells whose it is.
    static let source = "antares"

    /// Makes the overlay, attached nowhere.
    ///
    /// `redirect_dir=on`: rename(2) of a lower directory works. `volatile`: no fsync ever, since an upper is thrown away and a plain
    /// unmount would sync the whole filesystem. `xino`, `index` and `nfs_export` off: what overlayfs falls back to over FUSE, said aloud
    /// so that it does not warn. See Documentation/filesystems/overlayfs.rst. Blocks while the lower answers.
    static func make(
        lower: LowerMount, sealed: SealedLower?, upper: UpperLayer, source: String
    ) throws(SystemError) -> DetachedMount {
        let context = try FilesystemContext("overlay")
        try context.set("source", source)
        guard let sealed else {
            try context.set("lowerdir+", fd: lower.root)
            return try finish(context, upper)
        }
        let metadata = try sealed.snapshot.metadata(for: sealed.owner)
        try sealed.snapshot.addLayers(to: context, metadata: metadata, trigger: lower)
        let overlay = try finish(context, upper)
        // The overlay has a clone of its own now; closed earlier, there would have been nothing to clone.
        withExtendedLifetime(metadata) {}
        return overlay
    }

    private static func finish(
        _ context: borrowing FilesystemContext, _ upper: UpperLayer
    ) throws(SystemError) -> DetachedMount {
        try context.set("upperdir", fd: upper.upper.raw)
        try context.set("workdir", fd: upper.work.raw)
        try context.set("redirect_dir", "on")
        try context.set("xino", "off")
        try context.set("index", "off")
        try context.set("nfs_export", "off")
        try context.set("volatile")
        try context.create()
        return try context.mount([.noSetuid, .noDevices])
    }
}
