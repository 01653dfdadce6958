import Glibc
import LinuxSystem

/// A snapshot's sealed metadata, mounted once for all mounts of the snapshot, and the object layers that its files are redirected to.
///
/// Parsed by the kernel, never by the supervisor. The image may be deleted meanwhile: the mount keeps it.
final class SealedSnapshot: Sendable {
    private let image: DetachedMount
    /// Objects that are there.
    private let layer: OwnedFD
    /// Objects that were fetched since a mount looked for them in `layer`.
    private let inbox: OwnedFD

    /// Mounts the image, which must be a file of a filesystem with a page cache of its own (ENOTBLK on tmpfs and overlayfs). Blocks for
    /// as long as reading the image takes.
    init(image file: consuming OwnedFD, layer: consuming OwnedFD, inbox: consuming OwnedFD) throws(SystemError) {
        // A walk then finds it in memory, instead of reading it block by block.
        posix_fadvise(file.raw, 0, 0, POSIX_FADV_WILLNEED)
        let context = try FilesystemContext("erofs")
        try context.set("source", "/proc/self/fd/\(file.raw)")
        try context.set("ro")
        try context.create()
        image = try context.mount([.readOnly, .noSetuid, .noDevices, .noAccessTime])
        self.layer = layer
        self.inbox = inbox
    }

    /// Proves that the image is one: lists its root.
    func prove() throws(SystemError) {
        let root = try File.open(at: image.raw, ".", O_RDONLY | O_DIRECTORY)
        _ = try Directory.names(of: root.raw)
    }

    /// A copy of the image's mount in which everything belongs to the owner of the map.
    func metadata(for owner: IdentityMaps.Entry) throws(SystemError) -> DetachedMount {
        try owner.map.apply(to: image)
    }

    /// Adds the layers of a sealed lower to an overlay that is being made, from top to bottom:
    ///
    ///     metadata, layer, t, inbox, e
    ///
    /// all but the first for data only. An object that is not in `layer` is looked up in `t`, where the worker has it fetched and linked
    /// into `inbox` before it answers that it is not there. Overlayfs swallows the error of every layer but the last, so `e` is where a
    /// fetch that failed says why. Waits for the worker.
    func addLayers(
        to overlay: borrowing FilesystemContext, metadata: borrowing DetachedMount, trigger: LowerMount
    ) throws(SystemError) {
        let fetch = try Directory.open(beneath: trigger.root, "t")
        let errors = try Directory.open(beneath: trigger.root, "e")
        try overlay.set("lowerdir+", fd: metadata.raw)
        try overlay.set("datadir+", fd: layer.raw)
        try overlay.set("datadir+", fd: fetch.raw)
        try overlay.set("datadir+", fd: inbox.raw)
        try overlay.set("datadir+", fd: errors.raw)
        try overlay.set("metacopy", "on")
    }
}
