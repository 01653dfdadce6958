import Glibc
import LinuxSystem
import WireFormat

/// Asks a worker or the cache owner over its control socket: a reply, an error reply, or a deadline ends each request.
final class ControlChannel: Sendable {
    /// Why a request got no proper reply.
    enum Failure: Error, CustomStringConvertible {
        /// The other end answered with an error; the reader stands at its payload.
        case refused(WireReader)
        case timedOut
        /// The other end is gone or broke the protocol.
        case closed(String)

        var description: String {
            switch self {
            case .refused: "the other process answered with an error"
            case .timedOut: "no answer within the deadline"
            case .closed(let reason): "connection lost: \(reason)"
            }
        }
    }

    /// What came back: the reader stands at the payload.
    struct Reply: Sendable {
        let payload: WireReader
        let fds: ReceivedFDs
    }

    private struct Pending {
        let deadline: Deadline
        let continuation: CheckedContinuation<Result<Reply, Failure>, Never>
    }

    private struct State {
        var pending: [UInt64: Pending] = [:]
        var nextID: UInt64 = 1
        var closed: String?
    }

    /// How much later than its deadline a request is given up here: the other end gets the first word, with a reason.
    static let grace: Duration = .milliseconds(500)

    let socket: MessageSocket
    private let loop: ChannelLoop
    private let state = Guarded(State())
    private let tokenCell = Guarded(UInt64(0))

    /// Set once by the loop.
    var token: UInt64 {
        get { tokenCell.with { $0 } }
        set { tokenCell.with { $0 = newValue } }
    }

    init(_ socket: MessageSocket, loop: ChannelLoop) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        try socket.setNonBlocking(true)
        try loop.add(self)
    }

    /// Sends a request and waits for its reply. The descriptors stay the caller's.
    func request(
        _ operation: UInt16, _ payload: WireWriter, fds: [Int32] = [], deadline: Deadline
    ) async throws(Failure) -> WireReader {
        try await exchange(operation, payload, fds: fds, deadline: deadline).payload
    }

    /// Sends a request whose reply nobody waits for. When it returns, the message is in the other end's queue, also if this process ends.
    func post(_ operation: UInt16, _ payload: WireWriter, fds: [Int32] = []) throws(SystemError) {
        let id = state.with { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        try socket.send(MessageHeader(operation: operation, id: id).message(payload), fds: fds)
    }

    /// As `request`, for replies that may bring descriptors.
    func exchange(
        _ operation: UInt16, _ payload: WireWriter, fds: [Int32] = [], deadline: Deadline
    ) async throws(Failure) -> Reply {
        let limit = deadline.advanced(by: Self.grace)
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Reply, Failure>, Never>) in
            let registered: Result<UInt64, Failure> = state.with { state in
                if let reason = state.closed { return .failure(.closed(reason)) }
                let id = state.nextID
                state.nextID += 1
                state.pending[id] = Pending(deadline: limit, continuation: continuation)
                return .success(id)
            }
            switch registered {
            case .failure(let failure):
                continuation.resume(returning: .failure(failure))
            case .success(let id):
                let header = MessageHeader(operation: operation, id: id, deadline: deadline)
                do throws(SystemError) {
                    try socket.send(header.message(payload), fds: fds)
                    loop.watch(limit)
                } catch {
                    finish(id, .failure(.closed(error.description)))
                }
            }
        }
        return try result.get()
    }

    /// Whether somebody waits for a reply.
    var isAsked: Bool {
        state.with { !$0.pending.isEmpty }
    }

    /// Ends all requests and lets go of the socket.
    func close(_ reason: String) {
        loop.remove(self)
        let pending = state.with { state in
            if state.closed == nil { state.closed = reason }
            defer { state.pending = [:] }
            return Array(state.pending.values)
        }
        for request in pending { request.continuation.resume(returning: .failure(.closed(reason))) }
    }

    /// Called by the loop's thread when the socket is readable.
    func readReply() {
        do {
            guard let (bytes, fds) = try socket.receive(until: .now) else { return close("end of file") }
            var reader = WireReader(bytes)
            let header = try MessageHeader(from: &reader)
            guard header.flags.contains(.reply) else { return close("a message that is no reply") }
            let reply = Reply(payload: reader, fds: fds)
            finish(header.id, header.flags.contains(.error) ? .failure(.refused(reader)) : .success(reply))
        } catch let error as SystemError where error.errno == .timedOut {
            return
        } catch {
            close("\(error)")
        }
    }

    /// Ends the requests whose deadline has passed; the next deadline of those that are left.
    func expire() -> Deadline {
        let now = Deadline.now
        let (late, next) = state.with { state in
            let late = state.pending.filter { $0.value.deadline <= now }
            for id in late.keys { state.pending.removeValue(forKey: id) }
            return (Array(late.values), state.pending.values.map(\.deadline).min() ?? .never)
        }
        for request in late { request.continuation.resume(returning: .failure(.timedOut)) }
        return next
    }

    private func finish(_ id: UInt64, _ result: Result<Reply, Failure>) {
        // A reply that comes after its deadline finds nobody.
        let pending = state.with { $0.pending.removeValue(forKey: id) }
        pending?.continuation.resume(returning: result)
    }
}
