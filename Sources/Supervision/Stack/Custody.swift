import Glibc
import LinuxSystem
import WorkerProtocol

/// One FUSE connection in the supervisor's keeping: the fd of /dev/fuse and the session memory. Workers come and go; while these are
/// held, the connection lives and a request waits for the next worker instead of failing.
final class Custody: Sendable {
    private let device: SharedFD
    let memory: SessionMemory
    let connection: FuseConnection

    init(device: SharedFD, memory: SessionMemory, connection: FuseConnection) {
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

    /// Whether the kernel has a request that nobody has read. Never blocks.
    var hasUnread: Bool {
        var entry = pollfd(fd: device.raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0 && entry.revents & Int16(POLLIN) != 0
    }

    /// Of the open file, which all holders share: a worker copes with either.
    func setNonBlocking(_ on: Bool) throws(SystemError) {
        try device.setNonBlocking(on)
    }

    /// Writes a message to the kernel without a reply (FUSE_NOTIFY_RESEND) or a reply. False if it has no such request any more.
    @discardableResult
    func write(_ message: [UInt8]) -> Bool {
        message.withUnsafeBytes { Glibc.write(device.raw, $0.baseAddress, $0.count) } == message.count
    }
}
