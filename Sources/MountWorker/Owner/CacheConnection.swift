import CacheProtocol
import Glibc
import LinuxSystem
import WireFormat

/// The socket to the cache owner. Any thread sends; the control thread receives, replaces it, and writes what did not fit.
///
/// A lost socket is no failure: questions stay in the pending table and are asked again on the next one.
final class CacheConnection: Sendable {
    /// Messages that wait for room in the socket. Each is a question somebody waits for, or a few bytes that take one back.
    private static let longestQueue = 65536

    private struct State {
        var socket: MessageSocket?
        var queue: [[UInt8]] = []
        var head = 0
        /// Questions up to this one were put on this socket when it came, those still open, or need no answer.
        var askedThrough: UInt64 = 0
        /// The version agreed on; 0 before the greeting.
        var version: UInt16 = 0
    }

    private let state = Guarded(State())
    private let wake: EventCounter

    /// `wake` is added to when there is something to write on the control thread.
    init(wake: EventCounter) {
        self.wake = wake
    }

    /// Everything that has no answer, and the last question that there was.
    struct OpenQuestions: Sendable {
        var questions: [PendingTable<Waiting>.Question] = []
        var last: UInt64 = 0
    }

    /// Uses `socket` from now on: greets on it and puts the open questions. They are collected in the same step, because a thread may have
    /// noted a question and not put it yet: put twice it would break the protocol.
    func use(_ socket: MessageSocket, open: () -> OpenQuestions = { OpenQuestions() }) throws(SystemError) {
        try socket.setNonBlocking(true)
        let hello = WorkerRequest.hello(oldest: CacheProtocolVersion.oldest, newest: CacheProtocolVersion.newest)
        let message = MessageHeader(operation: hello.operation.rawValue, id: 0).message(hello.encode())
        state.with { state in
            state = State(socket: socket)
            Self.transmit(message, &state)
            let open = open()
            state.askedThrough = open.last
            for question in open.questions { Self.transmit(Self.message(question), &state) }
        }
    }

    /// Stops using the socket.
    func drop() {
        state.with { $0 = State() }
    }

    var socket: MessageSocket? {
        state.with { $0.socket }
    }

    var hasBacklog: Bool {
        state.with { $0.head < $0.queue.count }
    }

    func ask(_ question: PendingTable<Waiting>.Question) {
        post(Self.message(question), question: question.id)
    }

    private static func message(_ question: PendingTable<Waiting>.Question) -> [UInt8] {
        let request = question.dependency.request
        return MessageHeader(operation: request.operation.rawValue, id: question.id, deadline: question.deadline)
            .message(request.encode())
    }

    /// The owner has greeted on `socket`.
    func noteVersion(_ version: UInt16, of socket: MessageSocket) {
        state.with { if $0.socket === socket { $0.version = version } }
    }

    /// Asks for what nobody waits for. Left out where the owner does not know it, and while the socket is full.
    func ask(ahead range: AheadRange) {
        let request = WorkerRequest.ahead(range)
        let message = MessageHeader(operation: request.operation.rawValue, id: 0).message(request.encode())
        state.with { state in
            guard state.version >= CacheProtocolVersion.ahead, state.queue.isEmpty, let socket = state.socket else {
                return
            }
            _ = Self.sent(message, socket)
        }
    }

    func cancel(_ question: UInt64) {
        let request = WorkerRequest.cancel(id: question)
        post(MessageHeader(operation: request.operation.rawValue, id: 0).message(request.encode()))
    }

    private func post(_ message: [UInt8], question: UInt64 = .max) {
        let isFirstInQueue = state.with { state in
            if question <= state.askedThrough { return false }
            let before = state.queue.count
            Self.transmit(message, &state)
            return before == 0 && state.queue.count == 1
        }
        if isFirstInQueue { wake.add() }
    }

    /// Writes what waits, as far as the socket has room. Called by the control thread.
    func flush() {
        state.with { state in
            while state.head < state.queue.count, let socket = state.socket {
                guard Self.sent(state.queue[state.head], socket) else { return }
                state.head += 1
            }
            state.queue = []
            state.head = 0
        }
    }

    private static func transmit(_ message: [UInt8], _ state: inout State) {
        guard let socket = state.socket else { return }
        if state.queue.isEmpty, sent(message, socket) { return }
        // Beyond the bound the question is lost and its waiters are answered by their deadline.
        if state.queue.count - state.head < longestQueue { state.queue.append(message) }
    }

    /// False if there is no room now. Every other error means that the socket is dead; the control thread sees that as an end of file.
    private static func sent(_ message: [UInt8], _ socket: MessageSocket) -> Bool {
        let error = message.withUnsafeBytes { socket.send($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
        return error != .wouldBlock
    }
}
