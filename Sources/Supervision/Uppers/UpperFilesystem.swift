import Glibc
import LinuxSystem

/// The filesystem of one limited upper. It is attached nowhere: it lives as long as the overlay that stands on it or this object, so that nothing is
/// left of it, whoever dies.
///
/// This object is kept until the overlay has gone: else umount(2) of the overlay would end the filesystem, too, and write out all that the job
/// left in memory.
final class UpperFilesystem: Sendable {
    static let upperName = "upper"
    static let workName = "work"

    private let root: DetachedMount

    private init(_ root: consuming DetachedMount) {
        self.root = root
    }

    /// In memory, up to a limit (tmpfs(5)).
    static func tmpfs(_ storage: UpperStorage) throws(SystemError) -> UpperFilesystem {
        let context = try FilesystemContext("tmpfs")
        try context.set("source", "antares")
        try context.set("size", "\(storage.bytes)")
        if storage.inodes > 0 { try context.set("nr_inodes", "\(storage.inodes)") }
        try context.set("mode", "0700")
        try context.create()
        return UpperFilesystem(try context.mount([.noSetuid, .noDevices]))
    }

    /// The ext4 in an image file.
    static func image(_ file: Int32) throws(SystemError) -> UpperFilesystem {
        let device = try LoopDevice(over: file)
        return try ext4(on: device.path)
    }

    /// The filesystem that an overlay of an earlier supervisor stands on: mounted again, it is the same one. Nil if the file is no longer in use.
    static func inUse(image path: String) throws(SystemError) -> UpperFilesystem? {
        // Most uppers are no images, and each adopted mount asks.
        guard access(path, F_OK) == 0, let device = try LoopDevice.path(over: path) else { return nil }
        return try ext4(on: device)
    }

    private static func ext4(on device: String) throws(SystemError) -> UpperFilesystem {
        let context = try FilesystemContext("ext4")
        try context.set("source", device)
        // What the machine loses in a crash is thrown away anyhow.
        try context.set("nobarrier")
        try context.set("noauto_da_alloc")
        try context.create()
        return UpperFilesystem(try context.mount([.noSetuid, .noDevices]))
    }

    /// Makes the directories of an overlay in a new filesystem.
    func makeLayer(uid: UInt32, gid: UInt32) throws(SystemError) -> UpperLayer {
        try check(mkdirat(root.raw, Self.workName, 0o700), "mkdirat", Self.workName)
        try check(mkdirat(root.raw, Self.upperName, 0o755), "mkdirat", Self.upperName)
        try check(fchmodat(root.raw, Self.upperName, 0o755, 0), "fchmodat", Self.upperName)
        try check(fchownat(root.raw, Self.upperName, uid, gid, AT_SYMLINK_NOFOLLOW), "fchownat", Self.upperName)
        return UpperLayer(
            upper: try Directory.open(beneath: root.raw, Self.upperName),
            work: try Directory.open(beneath: root.raw, Self.workName), filesystem: self)
    }

    /// The upper directory, however the overlay came to stand on it.
    func openUpper() throws(SystemError) -> OwnedFD {
        try Directory.open(beneath: root.raw, Self.upperName)
    }

    /// Drops what is in memory and not on the disk yet; for a filesystem that nobody wants any more. tmpfs(5) has no such thing and needs none.
    func abandon() {
        try? root.shutDown()
    }
}
