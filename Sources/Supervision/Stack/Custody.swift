import Glibc
import LinuxSystem
import WorkerProtocol

/// One FUSE connection in the supervisor's keeping: the fd of /dev/fuse and the session memory. Workers come and go; while these are
/// held, the connection lives and a request waits for the next worker instead of failing.
final class Custody: Sendable {
    private let device: OwnedFD
    let memory: SessionMemory
    let connection: FuseConnection

    init(device: consuming OwnedFD, memory: SessionMemory, connection: FuseConnection) {
        self.device = device
        self.memory = memory
        self.connection = connection
    }

    /// The fd of /dev/fuse, valid while this object is referenced.
    var raw: Int32 {
        device.raw
    }

    /// Whether the kernel still has the connection: poll(2) reports POLLERR on a connection that was unmounted or aborted. Asked of the
    /// fd itself, because the number may belong to another connection by now.
    var isConnected: Bool {
        !hasEnded(by: .now)
    }

    /// Waits for the end of the connection; false when the deadline passed first.
    func hasEnded(by deadline: Deadline) -> Bool {
        while true {
            var entry = pollfd(fd: device.raw, events: 0, revents: 0)
            let n = poll(&entry, 1, deadline.pollTimeout)
            if n > 0 { return true }
            if n == 0, deadline.hasPassed { return false }
        }
    }

    /// Ends the connection unless it has ended. Never blocks.
    func abort() throws(SystemError) {
        if isConnected { try connection.abort() }
    }

    /// Requests that wait for an answer; nil when the connection has ended.
    var waiting: Int? {
        isConnected ? (try? connection.waiting()) ?? nil : nil
    }
}
