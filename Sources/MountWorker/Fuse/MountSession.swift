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
        var lower: any ServedTree
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
    private let log: FailureLog
    private let faults: Faults
    /// Requests that were being worked on when a worker died, by their number.
    private let judged: [UInt64: JudgedRequest.Treatment]
    /// When requests that an earlier worker had came to it, by their number.
    private let inherited: [UInt64: UInt64]
    /// Keeps judged requests apart from all others. Taken before all other locks, and only where there are judged requests.
    private let gate = SharedGate()

    /// Rebuilds what the last worker knew. Throws when the memory is not consistent.
    init(
        _ memory: SessionMemory, replies: ReplyBuffers, cache: CacheConnection, wake: EventCounter, log: FailureLog,
        faults: Faults
    ) throws(SystemError) {
        self.memory = memory
        self.cache = cache
        self.wake = wake
        self.log = log
        self.faults = faults
        judged = Dictionary(memory.judged().map { ($0.unique, $0.treatment) }) { first, _ in first }
        inherited = memory.takeWaiting()
        parameters = try memory.parameters()
        initUnique = FuseRequestHeader(memory.initRequest)?.unique ?? 0
        responder = Responder(
            memory: memory, parameters: parameters, buffers: replies, log: log)
        let lower: any ServedTree =
            switch parameters.form {
            case .lazy: Lower(parameters, nodes: try NodeTable(memory))
            case .trigger: try TriggerLower(parameters, memory: memory)
            }
        core = Guarded(Core(lower: lower))
    }

    // MARK: Reader threads

    /// A reply was dropped instead of sent.
    func noteDropped() {
        responder.noteDropped()
    }

    /// What to do with a request, if it was being worked on when a worker died; nil for all others. Counts those that come again.
    func treatment(of header: FuseRequestHeader) -> JudgedRequest.Treatment? {
        guard header.isResent else { return nil }
        memory.add(.resent)
        return judged[header.unique & ~FuseMessage.resentBit]
    }

    /// When a request first came to a worker of this mount, in nanoseconds of CLOCK_MONOTONIC.
    func start(of header: FuseRequestHeader) -> UInt64 {
        let now = Deadline.now.nanoseconds
        guard header.isResent else { return now }
        return min(now, inherited[header.unique & ~FuseMessage.resentBit] ?? now)
    }

    /// Counts a request that came to no operation, because libfuse or its table of callbacks has the answer.
    func noteAnsweredByLibrary(_ header: FuseRequestHeader, since start: UInt64) {
        guard RequestKind(opcode: header.opcode) == .other, FuseOpcode.expectsReply(header.opcode) else { return }
        memory.note(.other, took: Deadline.now.nanoseconds &- start)
    }

    /// Calls `body`, which works on a request that no worker died of, while no judged one is worked on.
    func besideOthers(_ body: () -> Void) {
        if judged.isEmpty { body() } else { gate.besideOthers(body) }
    }

    /// Calls `body`, which works on a judged request, while no other is worked on.
    func alone(_ body: () -> Void) {
        gate.alone(body)
    }

    func noteRefused(_ header: FuseRequestHeader) {
        memory.add(.served)
        memory.add(.failures)
        memory.add(.refused)
        memory.note(.poison)
        let cause = "workers died of request \(header.opcode) on node \(header.node); it is refused"
        log.note(Failure(.ioError, cause, .poison))
    }

    private func count(_ counts: AheadCounts) {
        if counts.brought > 0 { memory.add(.broughtAhead, counts.brought) }
        if counts.used > 0 { memory.add(.usedAhead, counts.used) }
    }

    /// Answers an operation now or lets it wait.
    func serve(_ operation: Operation, _ reply: consuming FuseReply) {
        faults.strike(operation, .early)
        let slot = ReaderSlot.current
        let (step, ahead, counts) = core.with {
            ($0.lower.step(operation), $0.lower.takeAhead(), $0.lower.takeAheadCounts())
        }
        count(counts)
        // Behind the answer, or the question that somebody waits for.
        defer { if let ahead { cache.ask(ahead: ahead) } }
        if case .reply(let answer) = step {
            responder.send(answer, to: reply)
            if let start = slot.flatMap({ memory.start(slot: $0) }) {
                memory.note(operation.requestKind, took: Deadline.now.nanoseconds &- start)
            }
            return
        }
        // The callback is set before the request can be answered by another thread, which would free it.
        let ticket = core.with { $0.pending.arm() }
        fuse_req_interrupt_func(reply.raw, Self.interrupted, UnsafeMutableRawPointer(bitPattern: UInt(ticket)))
        let now = Deadline.now
        let request = slot.flatMap { memory.inFlight(slot: $0) } ?? .none
        let start = slot.flatMap { memory.start(slot: $0) } ?? now.nanoseconds
        advance(
            ticket,
            Waiting(operation: operation, request: request, reply: ParkedReply(reply), start: now, since: start))
    }

    /// FUSE_INTERRUPT: answers EINTR at once if the operation waits.
    func interrupt(_ ticket: PendingTable<Waiting>.Ticket) {
        let (waiting, abandoned) = core.with { $0.pending.interrupt(ticket) }
        if let abandoned { cache.cancel(abandoned) }
        if let waiting { fail(waiting, .interrupted) }
    }

    private static let interrupted: @convention(c) (fuse_req_t?, UnsafeMutableRawPointer?) -> Void = { request, data in
        guard let request, let data else { return }
        context(of: request).interrupt(UInt64(UInt(bitPattern: data)))
    }

    /// The session that a request belongs to; it lives as long as the process.
    static func context(of request: fuse_req_t) -> MountSession {
        Unmanaged<MountSession>.fromOpaque(fuse_req_userdata(request)).takeUnretainedValue()
    }

    private func advance(
        _ ticket: PendingTable<Waiting>.Ticket, _ waiting: Waiting, supplied: Supplied? = nil
    ) {
        var waiting = waiting
        let next = core.with { core -> Advance in
            let dependency: Dependency
            switch core.lower.step(waiting.operation, supplied: supplied) {
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
            if waiting.place == nil {
                waiting.place = memory.noteWaiting(waiting.request.unique, since: waiting.since)
            }
            let since = Deadline(nanoseconds: waiting.since)
            switch core.pending.park(ticket, waiting, on: dependency, until: deadline, since: since) {
            case .joined: return .wait(nil, wake: wake)
            case .ask(let question): return .wait(question, wake: wake)
            case .interrupted: return .answer(core.lower.answer(waiting.operation, failing: .interrupted))
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

    private func fail(_ waiting: Waiting, _ failure: Failure) {
        send(core.with { $0.lower.answer(waiting.operation, failing: failure) }, waiting)
    }

    private func send(_ answer: Answer, _ waiting: Waiting) {
        guard let reply = waiting.reply.take() else { return }
        if let place = waiting.place { memory.clearWaiting(place) }
        let limit = memory.slowLimit
        let now = Deadline.now.nanoseconds
        if limit > 0, now > waiting.start.nanoseconds &+ limit { memory.add(.slow) }
        responder.send(answer, to: reply)
        memory.note(waiting.operation.requestKind, took: now &- waiting.since)
    }

    // MARK: Control thread

    /// The cache owner answered question `id`.
    func receive(_ id: UInt64, _ result: Result<Supply, Failure>) {
        if judged.isEmpty { return goOn(id, result) }
        gate.alone { goOn(id, result) }
    }

    private func goOn(_ id: UInt64, _ result: Result<Supply, Failure>) {
        struct Completed {
            var waiters: [PendingTable<Waiting>.Released]
            var question: PendingTable<Waiting>.Question
            var failure: Failure?
            var supplied: Supplied?
        }
        let completed = core.with { core -> Completed? in
            guard let (question, waiters) = core.pending.complete(id) else { return nil }
            switch result {
            case .success(let supply):
                // The answer is looked into for all of them.
                note(waiters)
                defer { note([]) }
                return Completed(
                    waiters: waiters, question: question, failure: core.lower.supply(question.dependency, supply),
                    supplied: Supplied(dependency: question.dependency, supply: supply))
            case .failure(let failure):
                return Completed(waiters: waiters, question: question, failure: failure, supplied: nil)
            }
        }
        guard let completed else { return }
        // The latest deadline first, so that a question which has to be put again is put with it.
        for released in completed.waiters.sorted(by: { $0.deadline > $1.deadline }) {
            note([released])
            faults.strike(released.waiter.operation, .late)
            // Who joined a question later has more time than it was asked with.
            if let failure = completed.failure,
                failure.errno != .timedOut || released.deadline <= completed.question.deadline
            {
                core.with { $0.pending.disarm(released.ticket) }
                fail(released.waiter, failure)
            } else {
                advance(released.ticket, released.waiter, supplied: completed.supplied)
            }
        }
        note([])
    }

    /// Something came that nobody waits for yet.
    func receive(ahead supply: AheadSupply) {
        count(
            core.with { core in
                core.lower.supply(ahead: supply)
                return core.lower.takeAheadCounts()
            })
    }

    /// Notes what the control thread is working on.
    private func note(_ waiters: [PendingTable<Waiting>.Released]) {
        for (index, slot) in SessionMemory.controlSlots.enumerated() {
            if index < waiters.count {
                let waiter = waiters[index].waiter
                memory.setInFlight(slot: slot, waiter.request, since: waiter.since)
            } else if memory.inFlight(slot: slot) != nil {
                memory.setInFlight(slot: slot, .none)
            } else {
                return
            }
        }
    }

    /// Everything that has no answer; for a new socket. Called with the connection's lock held.
    var openQuestions: CacheConnection.OpenQuestions {
        core.with { core in
            core.lower.forgetAhead()
            return .init(questions: core.pending.questions, last: core.pending.lastQuestion)
        }
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
        for waiting in waiters { fail(waiting, .unanswered) }
        return alarm
    }

    func status() -> WorkerStatus {
        var status = WorkerStatus()
        status.serving = true
        status.readerTurns = memory.value(.readerTurns)
        status.served = memory.value(.served)
        status.failures = memory.value(.failures)
        let (waiting, oldest, directories) = core.with {
            ($0.pending.count, $0.pending.oldest, $0.lower.directoryCount)
        }
        status.waiting = UInt32(clamping: waiting)
        let now = Deadline.now.nanoseconds
        status.oldestWait = oldest.map { now > $0.nanoseconds ? now - $0.nanoseconds : 0 } ?? 0
        status.directories = UInt64(directories)
        return status
    }
}
