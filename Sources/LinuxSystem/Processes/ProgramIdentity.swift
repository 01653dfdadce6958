import Glibc

/// Which build of a program: the file it was started from and when that was written. A program that was replaced at its path has another one,
/// also if both are the same inside.
public struct ProgramIdentity: Hashable, Sendable {
    private let file: FileStatus.Identity
    private let modified: Int64

    /// The file at `path`.
    public init(path: String) throws(SystemError) {
        var status = stat()
        try check(stat(path, &status), "stat", path)
        file = FileStatus.Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    /// The file that a process executes (/proc/PID/exe), also when no path leads to it any more.
    public init(of process: ChildProcess) throws(SystemError) {
        try self.init(path: "/proc/\(process.pid)/exe")
    }
}
