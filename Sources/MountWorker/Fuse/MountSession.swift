import CFUSE
import CacheProtocol
import LinuxSystem
import WorkerProtocol

/// A mount being served: the filesystem, what waits, and the ways to the kernel and to the cache owner.
///
/// Reader threads call `serve` and `interrupt`, the control thread the rest. No call waits for anything.
final class MountSession: Sendable {
    /// How much later than its deadline an operation is answered here, if the cache owner is silent: it gets the first word.
    static let grace: Duration = .milliseconds(250)

    private struct Core {
        var lower: Lower
        var pending = PendingTable<Waiting>()
        /// Until when the control thread sleeps.
        var alarm = Deadline.never
    }

    private enum Advance: Sendable {
        case answer(Answer)
        case wait(PendingTable<Waiting>.Question?, wake: Bool)
    }

    let memory: SessionMemory
    let cache: CacheConnection
    /// The number of the FUSE_INIT request.
    let initUnique: UInt64
    private let parameters: SessionParameters
    private let responder: Responder
    private let core: Guarded<Core>
    private let wake: EventCounter

    /// Rebuilds what the last worker knew. Throws when the memory is not consistent or memory cannot be locked.
    init(_ memory: SessionMemory, cache: CacheConnection, wake: EventCounter, log: FailureLog) throws(SystemError) {
        self.memory = memory
        self.cache = cache
        self.wake = wake
        parameters = try memory.parameters()
        initUnique = FuseRequestHeader(memory.initRequest)?.unique ?? 0
        responder = Responder(
            memory: memory, parameters: parameters, buffers: try ReplyBuffers(kept: 2), log: log)
        core = Guarded(Core(lower: Lower(parameters, nodes: try NodeTable(memory))))
    }

    // MARK: Reader threads

    /// A reply was dropped instead of sent.
    func noteDropped() {
        responder.noteDropped()
    }

    /// Answers an operation now or lets it wait.
    func serve(_ operation: Operation, _ reply: consuming FuseReply) {
        let step = core.with { $0.lower.step(operation) }
        if case .reply(let answer) = step { return responder.send(answer, to: reply) }
        // The callback is set before the request can be answered by another thread, which would free it.
        let ticket = core.with { $0.pending.arm() }
        fuse_req_interrupt_func(reply.raw, Self.interrupted, UnsafeMutableRawPointer(bitPattern: UInt(ticket)))
        let now = Deadline.now
        advance(ticket, Waiting(operation: operation, reply: ParkedReply(reply), start: now), now)
    }

    /// FUSE_INTERRUPT: answers EINTR at once if the operation waits.
    func interrupt(_ ticket: PendingTable<Waiting>.Ticket) {
        let (waiting, abandoned) = core.with { $0.pending.interrupt(ticket) }
        if let abandoned { cache.cancel(abandoned) }
        if let waiting { send(.failure(.interrupted), waiting) }
    }

    private static let interrupted: @convention(c) (fuse_req_t?, UnsafeMutableRawPointer?) -> Void = { request, data in
        guard let request, let data else { return }
        context(of: request).interrupt(UInt64(UInt(bitPattern: data)))
    }

    /// The session that a request belongs to; it lives as long as the process.
    static func context(of request: fuse_req_t) -> MountSession {
        Unmanaged<MountSession>.fromOpaque(fuse_req_userdata(request)).takeUnretainedValue()
    }

    private func advance(_ ticket: PendingTable<Waiting>.Ticket, _ waiting: Waiting, _ now: Deadline) {
        let next = core.with { core -> Advance in
            let dependency: Dependency
            switch core.lower.step(waiting.operation) {
            case .reply(let answer):
                core.pending.disarm(ticket)
                return .answer(answer)
            case .needs(let needed):
                dependency = needed
            }
            let allowance = dependency.allowance(
                timeout: parameters.requestTimeout, minimumRate: parameters.minimumRate)
            let deadline = waiting.start.advanced(by: allowance)
            let wake = deadline.advanced(by: Self.grace) < core.alarm
            switch core.pending.park(ticket, waiting, on: dependency, until: deadline, now: now) {
            case .joined: return .wait(nil, wake: wake)
            case .ask(let question): return .wait(question, wake: wake)
            case .interrupted: return .answer(.failure(.interrupted))
            }
        }
        switch next {
        case .answer(let answer):
            send(answer, waiting)
        case .wait(let question, let wake):
            if let question { cache.ask(question) }
            if wake { self.wake.add() }
        }
    }

    private func send(_ answer: Answer, _ waiting: Waiting) {
        guard let reply = waiting.reply.take() else { return }
        responder.send(answer, to: reply)
    }

    // MARK: Control thread

    /// The cache owner answered question `id`.
    func receive(_ id: UInt64, _ result: Result<Supply, Failure>) {
        let completed = core.with { core -> ([PendingTable<Waiting>.Released], Failure?, Deadline)? in
            guard let (question, waiters) = core.pending.complete(id) else { return nil }
            switch result {
            case .success(let supply):
                return (waiters, core.lower.supply(question.dependency, supply), question.deadline)
            case .failure(let failure):
                return (waiters, failure, question.deadline)
            }
        }
        guard let (waiters, failure, asked) = completed else { return }
        let now = Deadline.now
        // The latest deadline first, so that a question which has to be put again is put with it.
        for released in waiters.sorted(by: { $0.deadline > $1.deadline }) {
            // Who joined a question later has more time than it was asked with.
            if let failure, failure.errno != .timedOut || released.deadline <= asked {
                core.with { $0.pending.disarm(released.ticket) }
                send(.failure(failure), released.waiter)
            } else {
                advance(released.ticket, released.waiter, now)
            }
        }
    }

    /// Asks everything again that has no answer; for a new socket.
    func askAgain() {
        for question in core.with({ $0.pending.questions }) { cache.ask(question) }
    }

    /// Answers what the cache owner left unanswered. Until when the control thread may sleep.
    func expire() -> Deadline {
        let now = Deadline.now
        let (waiters, abandoned, alarm) = core.with { core -> ([Waiting], [UInt64], Deadline) in
            // An alarm that is set stays until it has passed: setting it anew with every miss would cost a wake-up each.
            if core.alarm != .never, core.alarm > now { return ([], [], core.alarm) }
            let limit = Self.grace.nanoseconds
            let (waiters, abandoned) = core.pending.expire(
                Deadline(nanoseconds: now.nanoseconds > limit ? now.nanoseconds - limit : 0))
            core.alarm = core.pending.earliestDeadline?.advanced(by: Self.grace) ?? .never
            return (waiters, abandoned, core.alarm)
        }
        for question in abandoned { cache.cancel(question) }
        for waiting in waiters { send(.failure(.unanswered), waiting) }
        return alarm
    }

    func status() -> WorkerStatus {
        var status = WorkerStatus()
        status.serving = true
        status.readerTurns = memory.value(.readerTurns)
        status.served = memory.value(.served)
        status.failures = memory.value(.failures)
        let (waiting, oldest, directories) = core.with {
            ($0.pending.count, $0.pending.oldest, $0.lower.nodes.count)
        }
        status.waiting = UInt32(clamping: waiting)
        let now = Deadline.now.nanoseconds
        status.oldestWait = oldest.map { now > $0.nanoseconds ? now - $0.nanoseconds : 0 } ?? 0
        status.directories = UInt64(directories)
        return status
    }
}
