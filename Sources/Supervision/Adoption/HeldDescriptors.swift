import Glibc
import LinuxSystem
import WorkerProtocol

/// The descriptors of a mount, taken from the worker that serves it (pidfd_getfd(2)): it needs no help from the worker, so it works on one
/// that is stopped or hangs.
enum HeldDescriptors {
    /// The custody of a mount whose worker lives. Throws ENODATA if the process holds no FUSE connection.
    static func custody(from worker: ChildProcess) throws(SystemError) -> Custody {
        let device = try duplicate(of: "/dev/fuse", in: worker)
        let memory = try SessionMemory(received: try duplicate(of: "/memfd:antares-session (deleted)", in: worker))
        let connection = try FuseConnection(of: device.raw)
        return Custody(device: device, memory: memory, connection: connection)
    }

    private static func duplicate(of target: String, in process: ChildProcess) throws(SystemError) -> OwnedFD {
        let directory = "/proc/\(process.pid)/fd"
        for name in try Directory.names(directory) {
            guard let number = Int32(String(decoding: name, as: UTF8.self)) else { continue }
            if (try? File.linkTarget("\(directory)/\(number)")) == target { return try process.duplicateFD(number) }
        }
        throw SystemError(.noData, "looking for \(target)", directory)
    }
}
