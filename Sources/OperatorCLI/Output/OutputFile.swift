import Glibc
import LinuxSystem

/// A file that a command is told to write.
enum OutputFile {
    /// Calls `body` with a descriptor to write to. A file appears when it is complete, or is replaced then, and stays as it is if `body`
    /// throws; a link is followed. A pipe or a device is written to and never replaced.
    ///
    /// - Throws: What `body` throws; ENXIO for a FIFO that nobody reads (fifo(7)), EISDIR for a directory.
    static func write<Result>(
        _ path: String, mode: UInt32, _ body: (Int32) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        if let status = try? FileStatus(of: path), status.mode & S_IFMT != S_IFREG {
            let output = try File.open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY)
            let flags = fcntl(output.raw, F_GETFL)
            try check(fcntl(output.raw, F_SETFL, flags & ~O_NONBLOCK), "fcntl", path)
            return try body(output.raw)
        }
        let target = try destination(path)
        let temporary = "\(target).part-\(getpid())"
        let file = try File.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        do throws(SystemError) {
            let result = try body(file.raw)
            try check(rename(temporary, target), "rename", target)
            return result
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Where a link leads.
    private static func destination(_ path: String) throws(SystemError) -> String {
        var path = path
        // As many as the kernel follows (path_resolution(7)).
        for _ in 0..<40 {
            guard let target = try? File.linkTarget(path) else { return path }
            let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
            path = target.hasPrefix("/") ? target : parent + target
        }
        throw SystemError(.tooManyLinks, "readlink", path)
    }
}
