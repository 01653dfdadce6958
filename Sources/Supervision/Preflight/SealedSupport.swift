import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import SealedImage

/// Whether this machine can mount sealed snapshots, found by doing it: kernels differ whatever their number says.
enum SealedSupport {
    /// Mounts a tiny image, stacks an overlay with data layers on it and another one on that, as a job in a container would. `directory` is
    /// on the filesystem that images will be on. Throws what failed; without it every mount is lazy.
    static func probe(directory: String) throws(SystemError) {
        let name = "\(directory)/sealed-probe-\(getpid())"
        let file = try File.open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode: 0o600)
        unlink(name)
        do throws(SealedImageError) {
            _ = try SealedImage.write(.emptyTreeSHA1, of: EmptyTree(), time: 0, to: file.raw)
        } catch {
            throw SystemError(.ioError, "writing a sealed image", directory, detail: error.description)
        }
        let layer = try KernelChecks.emptyLayer()
        let inbox = try KernelChecks.emptyLayer()
        let snapshot = try SealedSnapshot(image: file, layer: try layer.rootFD(), inbox: try inbox.rootFD())
        let owner = IdentityMaps.Entry(try IdentityMap(owner: Accounts.User(uid: 1, gid: 1)))
        let metadata = try snapshot.metadata(for: owner)
        let overlay = try FilesystemContext("overlay")
        try overlay.set("lowerdir+", fd: metadata.raw)
        try overlay.set("datadir+", fd: layer.raw)
        try overlay.set("metacopy", "on")
        try overlay.set("redirect_dir", "on")
        try overlay.create()
        let first = try overlay.mount([.noSetuid, .noDevices])
        let below = try KernelChecks.emptyLayer()
        let nested = try FilesystemContext("overlay")
        try nested.set("lowerdir+", fd: first.raw)
        try nested.set("lowerdir+", fd: below.raw)
        try nested.create()
        _ = try nested.mount([.noSetuid, .noDevices])
        withExtendedLifetime(metadata) {}
    }

    private struct EmptyTree: TreeSource {
        func directory(_ id: ObjectID) -> PackedDirectory { .empty }
        func link(_ id: ObjectID) -> [UInt8] { [] }
    }
}

extension DetachedMount {
    /// A descriptor of the mount's root, apart from the mount itself.
    fileprivate func rootFD() throws(SystemError) -> OwnedFD {
        try Directory.open(beneath: raw, ".")
    }
}
