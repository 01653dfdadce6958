import Glibc
import LinuxSystem

/// What a job writes: the upper and work directory of its overlay, below `upper_root/<mount id>`. Used for one mount and never again.
struct UpperDirectory: Hashable, Sendable {
    let root: String
    let id: MountID

    var path: String { root + "/" + id.rawValue }
    var upperPath: String { path + "/upper" }
    var workPath: String { path + "/work" }

    /// Makes the directories. The upper's root becomes the mount's root: it takes the job's owner and the mode that Git gives directories.
    func create(uid: UInt32, gid: UInt32) throws(SystemError) {
        try check(mkdir(path, 0o700), "mkdir", path)
        try check(mkdir(workPath, 0o700), "mkdir", workPath)
        try check(mkdir(upperPath, 0o755), "mkdir", upperPath)
        try check(chmod(upperPath, 0o755), "chmod", upperPath)
        try check(lchown(upperPath, uid, gid), "chown", upperPath)
    }
}
