import Glibc
import LinuxSystem

/// What is on the disk of a mount's upper: `upper_root/<mount id>`, with the upper and work directory of its overlay or with their image.
/// Used for one mount and never again.
struct UpperDirectory: Hashable, Sendable {
    static let imageName = "image"

    let root: String
    let id: MountID

    var path: String { root + "/" + id.rawValue }
    var upperPath: String { path + "/" + UpperFilesystem.upperName }
    var workPath: String { path + "/" + UpperFilesystem.workName }
    var imagePath: String { path + "/" + Self.imageName }

    /// Makes the directories. The upper's root becomes the mount's root: it takes the job's owner and the mode that Git gives directories.
    /// `limit` gets both, empty and opened for reading.
    func makeLayer(
        uid: UInt32, gid: UInt32, limit: ([Int32]) throws(SystemError) -> Void
    ) throws(SystemError) -> UpperLayer {
        try check(mkdir(workPath, 0o700), "mkdir", workPath)
        try check(mkdir(upperPath, 0o755), "mkdir", upperPath)
        try check(chmod(upperPath, 0o755), "chmod", upperPath)
        try check(lchown(upperPath, uid, gid), "chown", upperPath)
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let layer = UpperLayer(upper: try File.open(upperPath, flags), work: try File.open(workPath, flags))
        try limit([layer.upper.raw, layer.work.raw])
        return layer
    }
}
