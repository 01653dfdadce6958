import CacheProtocol
import Glibc
import LinuxSystem
import WireFormat

/// A message on its way out.
struct OutgoingMessage: Sendable {
    var bytes: [UInt8]
    var files: [SharedFD] = []
}

/// The owner's end of one socket. One epoll thread at a time receives on it; every thread may send.
///
/// A send never waits: what the socket does not take is queued and flushed when it becomes writable. While much is queued, no
/// more requests are read from this peer, so a peer that does not read its answers costs a bounded amount of memory.
final class Connection: Sendable {
    enum Role: Sendable {
        case control
        case worker(mount: String, store: OriginStore)
    }

    private struct State {
        var queue: [OutgoingMessage] = []
        /// An epoll thread is at work on it, and will look at `queue` before it lets go.
        var busy = false
        var closed = false
        var greeted = false
        /// Nil before `register`.
        var epoll: Epoll.Reference?
    }

    let id: UInt64
    let role: Role
    private let socket: MessageSocket
    private let state = Guarded(State())

    /// Queued messages above which no more requests are read.
    static let queueLimit = 256

    /// - Parameter socket: set to not block here.
    init(id: UInt64, role: Role, socket: consuming OwnedFD) throws(SystemError) {
        self.id = id
        self.role = role
        self.socket = MessageSocket(socket)
        try self.socket.setNonBlocking(true)
    }

    /// From now on events come with `id` as their token.
    func register(_ epoll: Epoll.Reference) throws(SystemError) {
        state.with { $0.epoll = epoll }
        try epoll.value.add(socket.raw, [.readable, .oneShot], token: id)
    }

    /// Whether the peer has said which protocol it speaks.
    var isGreeted: Bool { state.with { $0.greeted } }

    func greet() {
        state.with { $0.greeted = true }
    }

    /// Takes the connection for this thread; false if another one has it.
    func begin() -> Bool {
        state.with { state in
            if state.busy || state.closed { return false }
            state.busy = true
            return true
        }
    }

    /// Lets go of it and waits for the next event.
    func end() {
        state.with { state in
            state.busy = false
            arm(state)
        }
    }

    /// Receives one message; nil when there is none now.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> (bytes: [UInt8], fds: ReceivedFDs)? {
        if state.with({ $0.queue.count >= Self.queueLimit }) { return nil }
        do throws(SystemError) {
            guard let (count, fds) = try socket.receive(into: buffer) else {
                throw SystemError(.connectionReset, "recvmsg", "", detail: "the other end is closed")
            }
            return (Array(UnsafeRawBufferPointer(rebasing: buffer[..<count])), fds)
        } catch  where error.errno == .wouldBlock || error.errno == .interrupted {
            return nil
        }
    }

    /// Sends, or queues. A connection that breaks is noticed by whoever receives on it.
    func send(_ message: OutgoingMessage) {
        state.with { state in
            if state.closed { return }
            if state.queue.isEmpty && transmit(message) { return }
            state.queue.append(message)
            if !state.busy { arm(state) }
        }
    }

    /// Sends if the peer has read most of what was sent before (unix(7) is writable below a quarter of its buffer); else the message is
    /// dropped: what nobody waits for must not fill the socket, nor keep descriptors in flight.
    func offer(_ message: OutgoingMessage) {
        state.with { state in
            guard !state.closed, state.queue.isEmpty,
                (try? socket.wait(for: Int16(POLLOUT), until: Deadline(nanoseconds: 0))) == true
            else { return }
            _ = transmit(message)
        }
    }

    /// Sends what was queued, as far as the socket takes it.
    func flush() {
        state.with { state in
            guard !state.queue.isEmpty else { return }
            var sent = 0
            for message in state.queue {
                guard transmit(message) else { break }
                sent += 1
            }
            state.queue.removeFirst(sent)
        }
    }

    /// Nothing is received or sent any more.
    func close() {
        state.with { state in
            guard !state.closed else { return }
            state.closed = true
            state.queue = []
            state.epoll?.value.remove(socket.raw)
            socket.shutDown()
        }
    }

    /// False if the socket is full.
    private func transmit(_ message: OutgoingMessage) -> Bool {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let error = message.bytes.withUnsafeBytes { bytes in
            socket.send(bytes, empty, fds: message.files.map(\.raw))
        }
        // On any other error the peer is gone, and the message with it.
        return error != .wouldBlock && error != .interrupted
    }

    private func arm(_ state: State) {
        guard !state.closed else { return }
        var events: Epoll.Events = [.oneShot]
        if state.queue.count < Self.queueLimit { events.insert(.readable) }
        if !state.queue.isEmpty { events.insert(.writable) }
        try? state.epoll?.value.change(socket.raw, events, token: id)
    }
}

extension Connection {
    /// Answers a worker's request.
    func reply(_ header: MessageHeader, _ reply: WorkerReply, file: SharedFD? = nil) {
        send(OutgoingMessage(bytes: header.reply().message(reply.encode()), files: file.map { [$0] } ?? []))
    }

    /// Answers the supervisor's request.
    func reply(_ header: MessageHeader, _ reply: ControlReply, files: [SharedFD] = []) {
        send(OutgoingMessage(bytes: header.reply().message(reply.encode()), files: files))
    }

    func reply(_ header: MessageHeader, _ error: CacheError, _ counters: Counters) {
        counters.add(failure: error.code)
        send(OutgoingMessage(bytes: header.reply(isError: true).message(error.encode())))
    }
}

extension Epoll {
    /// One epoll instance for several holders.
    final class Reference: Sendable {
        let value: Epoll

        init() throws(SystemError) {
            value = try Epoll()
        }
    }
}
