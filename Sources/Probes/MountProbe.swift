import Glibc
import LinuxSystem

/// Asks a mount for something that only its server can answer. Waits as long as the server does: the starter kills the process.
public enum MountProbe {
    /// Lists the root and looks up a name that nobody has, so that no cache of the kernel's answers. The exit code is an error number, 0 if all
    /// is well; 255 stands for numbers above.
    static func run(_ path: String) -> Int32 {
        do throws(SystemError) {
            let root = try File.open(path, O_RDONLY | O_DIRECTORY)
            _ = try Directory.names(of: root.raw)
            do throws(SystemError) {
                _ = try File.open(at: root.raw, ".antares-doctor-\(getpid())-\(Deadline.now.nanoseconds)", O_RDONLY)
            } catch {
                if error.errno != .notFound { throw error }
            }
            return 0
        } catch {
            return min(error.errno.rawValue, 255)
        }
    }
}
