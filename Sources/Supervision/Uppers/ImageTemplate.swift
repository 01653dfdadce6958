import Glibc
import LinuxSystem

/// An empty ext4 of the size of all uppers. A mount's image is a copy of what mke2fs(8) wrote into it, some hundred kilobytes.
final class ImageTemplate: Sendable {
    /// mke2fs(8) writes next to nothing; a disk that is stuck is told as such.
    private static let timeout: Duration = .seconds(20)
    private static let programs = ["/usr/sbin/mke2fs", "/sbin/mke2fs"]

    private let file: OwnedFD
    private let size: UInt64

    /// Makes it as a file in `directory` that has no name any more when this returns. Throws ENOENT without mke2fs(8).
    init(in directory: String, _ storage: UpperStorage) throws(SystemError) {
        guard let program = Self.programs.first(where: { access($0, X_OK) == 0 }) else {
            throw SystemError(
                .notFound, "mke2fs", Self.programs[0], detail: "install e2fsprogs, or set another upper_storage")
        }
        size = storage.bytes
        // Trash, if this process ends here.
        let path = "\(directory)/\(UpperStore.trashPrefix)-template-\(getpid())"
        file = try File.open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        defer { unlink(path) }
        try check(ftruncate(file.raw, off_t(size)), "ftruncate", path)
        // No journal: nobody mounts it again after a crash. No reserved blocks: the limit is the job's.
        let inodes = storage.inodes > 0 ? ["-N", "\(storage.inodes)"] : []
        let arguments =
            ["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O", "^has_journal,^resize_inode"]
            + ["-E", "lazy_itable_init=1,nodiscard"] + inodes + [path]
        let output = try DisposableChild(program, arguments, until: .after(Self.timeout)).finish()
        guard output.status == .code(0) else {
            throw SystemError(
                output.status == nil ? .timedOut : .ioError, "mke2fs", path,
                detail: output.status.map { "it ended with \($0)" } ?? "not done after \(Self.timeout)")
        }
    }

    /// A new file with an empty ext4, all of its room reserved. Throws ENOSPC if there is none, EEXIST if the file is there.
    func makeImage(_ path: String) throws(SystemError) -> OwnedFD {
        let image = try File.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        try SparseCopy.reserve(image.raw, size: size)
        try SparseCopy.copyData(of: file.raw, to: image.raw)
        return image
    }
}
