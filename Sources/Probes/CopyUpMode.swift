import Glibc
import LinuxSystem

/// Brings the contents of files into an overlay's upper that has only their metadata: opening such a file for writing does (fs/overlayfs/copy_up.c,
/// `ovl_maybe_copy_up`). Nothing is written, and the times stay.
public enum CopyUpMode {
    public static let argument = "--copy-up"
    private static let root: Int32 = 3

    /// Reads paths with NUL bytes between from the standard input, each below the directory that is open as descriptor 3. What is no regular file any more is
    /// left alone. Answers the exit code.
    static func run() -> Int32 {
        do throws(SystemError) {
            for path in try File.contents("/proc/self/fd/0", limit: 512 << 20).split(separator: 0) {
                try complete(Array(path))
            }
            return 0
        } catch {
            let line = Array("\(error)\n".utf8)
            line.withUnsafeBytes { try? File.write(STDERR_FILENO, $0) }
            return 1
        }
    }

    private static func complete(_ path: [UInt8]) throws(SystemError) {
        do {
            let before = try Directory.open(
                beneath: root, bytes: path, flags: O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
            var status = stat()
            try check(fstat(before.raw, &status), "fstat")
            guard status.st_mode & S_IFMT == S_IFREG else { return }
            let file = try Directory.open(
                beneath: root, bytes: path, flags: O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
            // The contents come with the time of now.
            try check(futimens(file.raw, [status.st_atim, status.st_mtim]), "futimens")
        } catch  where [.notFound, .notADirectory, .tooManyLinks, .isADirectory].contains(error.errno) {
            return
        }
    }
}
