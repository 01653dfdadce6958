import CAntares
import Glibc

/// A SOCK_SEQPACKET socket: whole messages, in order, with file descriptors (unix(7), SCM_RIGHTS).
///
/// Each send is one message and atomic, so several threads may send on one socket without a lock.
public final class MessageSocket: Sendable {
    /// The longest message of our protocols in bytes. Longer values travel as sealed memfds.
    public static let maximumMessage = 64 * 1024

    private let file: OwnedFD

    public init(_ file: consuming OwnedFD) {
        self.file = file
    }

    public var raw: Int32 {
        file.raw
    }

    /// A connected pair.
    public static func pair() throws(SystemError) -> (MessageSocket, MessageSocket) {
        var fds: [Int32] = [-1, -1]
        try check(fds.withUnsafeMutableBufferPointer { ant_seqpacket_pair($0.baseAddress) }, "socketpair")
        return (MessageSocket(OwnedFD(taking: fds[0])), MessageSocket(OwnedFD(taking: fds[1])))
    }

    /// A listening socket at `path` (at most 107 bytes), with its file mode set before anybody can connect. EADDRINUSE if the path
    /// exists.
    public static func listen(_ path: String, backlog: Int32 = 16, mode: UInt32 = 0o600) throws(SystemError) -> OwnedFD
    {
        OwnedFD(taking: try check(ant_seqpacket_listen(path, backlog, mode), "bind", path))
    }

    public static func connect(_ path: String) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try check(ant_seqpacket_connect(path), "connect", path))
    }

    /// The next connection of a listening socket.
    public static func accept(_ listener: Int32) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try retrying("accept4") { ant_accept(listener) })
    }

    /// Process id, user and group of the other end at the time of the connection (SO_PEERCRED).
    public static func peer(of socket: Int32) throws(SystemError) -> (pid: Int32, uid: UInt32, gid: UInt32) {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
        try check(ant_peer_credentials(socket, &pid, &uid, &gid), "getsockopt(SO_PEERCRED)")
        return (pid, uid, gid)
    }

    /// Sends one message of `head` and `body`. EAGAIN when a non-blocking socket's buffer is full; EPIPE or ECONNRESET when the other
    /// end is gone. The descriptors stay the caller's.
    public func send(_ head: [UInt8], _ body: [UInt8] = [], fds: [Int32] = []) throws(SystemError) {
        try head.withUnsafeBytes { headBytes in
            body.withUnsafeBytes { Self.result(send(headBytes, $0, fds: fds)) }
        }.get()
    }

    /// As `send`, without arrays; the errno, or nil when it was sent.
    public func send(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, fds: [Int32] = []
    ) -> Errno? {
        let n = fds.withUnsafeBufferPointer {
            ant_send(
                file.raw, head.baseAddress, head.count, body.baseAddress, body.count, $0.baseAddress, Int32($0.count))
        }
        return n == -1 ? Errno.current : nil
    }

    private static func result(_ error: Errno?) -> Result<Void, SystemError> {
        error.map { .failure(SystemError($0, "sendmsg")) } ?? .success(())
    }

    /// Receives one message into `buffer`: its length and its descriptors, or nil at end of file. EMSGSIZE for a message that does not
    /// fit or carries more than 32 descriptors (they are closed).
    public func receive(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> (count: Int, fds: ReceivedFDs)? {
        let fds = ReceivedFDs()
        let n = fds.receive(file.raw, buffer)
        if n == -1 { throw SystemError(Errno.current, "recvmsg") }
        return n == 0 ? nil : (n, fds)
    }

    /// Receives one message as an array, waiting until the deadline (ETIMEDOUT). Nil at end of file.
    public func receive(until deadline: Deadline) throws(SystemError) -> (bytes: [UInt8], fds: ReceivedFDs)? {
        while true {
            guard try wait(for: Int16(POLLIN), until: deadline) else { throw SystemError(.timedOut, "recvmsg") }
            var buffer = [UInt8](repeating: 0, count: Self.maximumMessage)
            let fds = ReceivedFDs()
            let n = buffer.withUnsafeMutableBytes { fds.receive(file.raw, $0) }
            if n == -1 {
                let error = Errno.current
                if error == .wouldBlock { continue }
                throw SystemError(error, "recvmsg")
            }
            if n == 0 { return nil }
            buffer.removeLast(buffer.count - n)
            return (buffer, fds)
        }
    }

    /// Waits for poll(2) events; false when the deadline passed first.
    public func wait(for events: Int16, until deadline: Deadline) throws(SystemError) -> Bool {
        while true {
            var entry = pollfd(fd: file.raw, events: events, revents: 0)
            let n = poll(&entry, 1, deadline.pollTimeout)
            if n > 0 { return true }
            if n == 0 {
                if deadline.hasPassed { return false }
                continue
            }
            if Errno.current != .interrupted { throw SystemError(Errno.current, "poll") }
        }
    }

    /// Ends both directions, so that a thread waiting in `receive` sees the end of file.
    public func shutDown() {
        shutdown(file.raw, Int32(SHUT_RDWR))
    }

    public func setNonBlocking(_ on: Bool) throws(SystemError) {
        try file.setNonBlocking(on)
    }
}
