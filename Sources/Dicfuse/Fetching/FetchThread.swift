import CCurl
import Glibc
import LinuxSystem
import Synchronization

/// Something with deadlines that the fetch thread keeps.
protocol DeadlineKeeper: AnyObject, Sendable {
    var earliestDeadline: Deadline { get }
    func expire(now: Deadline)
}

/// The thread that owns every libcurl handle, and the executor of the actors that fetch: their code runs here, between two
/// looks at the sockets, so a transfer's end resumes the code that waits for it without another thread.
///
/// It sleeps in curl_multi_poll(3); `enqueue` from another thread wakes it.
final class FetchThread: SerialExecutor, TaskExecutor, @unchecked Sendable {
    // Sendable: everything mutable outside `inbox` is touched by the fetch thread alone (`keepers` before it is started).

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var stopping = false
        var thread: pthread_t?
    }

    private struct Timer {
        let deadline: Deadline
        let continuation: CheckedContinuation<Void, Never>
    }

    private let inbox = Guarded(Inbox())
    /// Shows whether the thread moves; waiting for the network is between two turns.
    let pulse = Pulse()
    private let multi: UnsafeMutableRawPointer
    private let connections: Int
    private var keepers: [any DeadlineKeeper] = []
    private var waiting = TransferLine()
    private var backgroundWaiting = TransferLine()
    private var backgroundActive = 0
    private var active: [UnsafeMutableRawPointer: Transfer] = [:]
    private var idle: [EasyHandle] = []
    private var timers: [Timer] = []
    /// No active transfer's deadline is earlier.
    private var nextStallCheck = Deadline.never
    private var stopped = false
    private var started: SystemThread?
    private let slowLimit = Atomic<UInt64>(0)
    /// For bodies that have to be held.
    let budget = MemoryBudget()

    /// - Parameter connections: transfers at the same time.
    init(connections: Int) throws(SystemError) {
        guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK, let multi = curl_multi_init() else {
            throw SystemError(.outOfMemory, "curl_multi_init")
        }
        self.multi = multi
        self.connections = connections
        _ = ant_curl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections)
        _ = ant_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, connections)
    }

    deinit {
        curl_multi_cleanup(multi)
    }

    func start(keepers: [any DeadlineKeeper]) throws(SystemError) {
        self.keepers = keepers
        started = try SystemThread.start(name: "fetch", isPrompt: true, stackSize: 1 << 20) { [self] in run() }
    }

    /// Ends the thread; transfers under way are dropped.
    func stop() {
        inbox.with { $0.stopping = true }
        wake()
        started?.join()
        started = nil
        keepers = []
    }

    /// Makes the thread look at the deadlines again.
    func wake() {
        curl_multi_wakeup(multi)
    }

    /// Requests that take longer, in milliseconds, are told of; 0 for none. Any thread may change it.
    var slowMilliseconds: UInt64 {
        get { slowLimit.load(ordering: .relaxed) }
        set { slowLimit.store(newValue, ordering: .relaxed) }
    }

    // MARK: Executor

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let outside = inbox.with { inbox in
            inbox.jobs.append(job)
            guard let thread = inbox.thread else { return false }
            return inbox.jobs.count == 1 && pthread_equal(thread, pthread_self()) == 0
        }
        if outside { wake() }
    }

    func checkIsolated() {
        let isHere = inbox.with { inbox in
            inbox.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false
        }
        precondition(isHere, "only the fetch thread may do this")
    }

    // MARK: For code that runs on the thread

    /// True once `stop` was called: nothing is worth waiting for any more.
    var isStopping: Bool { stopped }

    /// Starts a request, or queues it while all connections are busy.
    func start(_ transfer: Transfer) {
        if stopped { return transfer.completion(.interrupted("the cache owner is stopping")) }
        if transfer.request.isBackground { backgroundWaiting.add(transfer) } else { waiting.add(transfer) }
        launchWaiting()
    }

    /// Foreground first; background gets half of the connections at most, so that a miss never waits for all of it.
    private func launchWaiting() {
        while active.count < connections {
            if let next = waiting.next() {
                launch(next)
            } else if backgroundActive < max(1, connections / 2), let next = backgroundWaiting.next() {
                launch(next)
            } else {
                return
            }
        }
    }

    /// Transfers of this urgency wait in the background no longer.
    func promote(_ urgency: Urgency) {
        for transfer in backgroundWaiting.takeAll() {
            if transfer.request.urgency === urgency { waiting.add(transfer) } else { backgroundWaiting.add(transfer) }
        }
        for transfer in active.values where transfer.request.urgency === urgency { transfer.handle?.limit(to: 0) }
        launchWaiting()
    }

    /// Resumes the continuation once the deadline has passed.
    func resume(_ continuation: CheckedContinuation<Void, Never>, at deadline: Deadline) {
        timers.append(Timer(deadline: deadline, continuation: continuation))
    }

    // MARK: The loop

    private func run() {
        inbox.with { $0.thread = pthread_self() }
        while true {
            let (jobs, stopping) = inbox.with { inbox in
                defer { inbox.jobs.removeAll(keepingCapacity: true) }
                return (inbox.jobs, inbox.stopping)
            }
            if stopping { break }
            pulse.beginTurn()
            run(jobs)
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finishTransfers()
            let now = Deadline.now
            failStalled(now)
            fireTimers(now)
            for keeper in keepers where keeper.earliestDeadline <= now { keeper.expire(now: now) }
            guard inbox.with({ $0.jobs.isEmpty && !$0.stopping }) else { continue }
            let next = keepers.reduce(min(nextStallCheck, nextTimer)) { min($0, $1.earliestDeadline) }
            pulse.endTurn()
            // libcurl takes no infinite timeout; an hour is as good.
            let timeout = next.pollTimeout
            curl_multi_poll(multi, nil, 0, timeout < 0 ? 3_600_000 : min(timeout, 3_600_000), nil)
        }
        drain()
    }

    private func run(_ jobs: [UnownedJob]) {
        for job in jobs {
            job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        }
    }

    /// Ends what is under way: every transfer and pause ends at once, so whoever waits goes on and comes to an end.
    private func drain() {
        stopped = true
        while true {
            let ending = Array(active.values) + waiting.takeAll() + backgroundWaiting.takeAll()
            active = [:]
            for transfer in ending {
                remove(transfer)
                transfer.completion(.interrupted("the cache owner is stopping"))
            }
            fireTimers(.never)
            let jobs = inbox.with { inbox in
                defer { inbox.jobs = [] }
                return inbox.jobs
            }
            if jobs.isEmpty && active.isEmpty && timers.isEmpty { return }
            run(jobs)
        }
    }

    private var nextTimer: Deadline {
        timers.reduce(.never) { min($0, $1.deadline) }
    }

    private func fireTimers(_ now: Deadline) {
        guard timers.contains(where: { $0.deadline <= now }) else { return }
        let due = timers.filter { $0.deadline <= now }
        timers.removeAll { $0.deadline <= now }
        for timer in due { timer.continuation.resume() }
    }

    private func launch(_ transfer: Transfer) {
        guard let handle = idle.popLast() ?? EasyHandle() else {
            return transfer.completion(.interrupted("no memory for a transfer"))
        }
        transfer.launched(handle)
        if transfer.request.isBackground { backgroundActive += 1 }
        handle.prepare(transfer)
        active[handle.raw] = transfer
        nextStallCheck = min(nextStallCheck, transfer.deadline)
        curl_multi_add_handle(multi, handle.raw)
    }

    private func finishTransfers() {
        var code = CURLE_OK
        while let raw = ant_curl_next_done(multi, &code) {
            guard let transfer = active.removeValue(forKey: raw) else { continue }
            let outcome = transfer.outcome(EasyHandle.result(code))
            remove(transfer)
            transfer.completion(outcome)
        }
        launchWaiting()
    }

    private func failStalled(_ now: Deadline) {
        guard nextStallCheck <= now else { return }
        nextStallCheck = .never
        for (raw, transfer) in active {
            guard transfer.deadline <= now else {
                nextStallCheck = min(nextStallCheck, transfer.deadline)
                continue
            }
            active[raw] = nil
            remove(transfer)
            transfer.completion(.stalled("no progress, or slower than the minimum rate"))
        }
    }

    private func remove(_ transfer: Transfer) {
        guard let handle = transfer.handle else { return }
        transfer.handle = nil
        if transfer.request.isBackground { backgroundActive -= 1 }
        curl_multi_remove_handle(multi, handle.raw)
        handle.reset()
        idle.append(handle)
    }
}

/// Transfers in the order in which they came.
private struct TransferLine {
    private var transfers: [Transfer] = []
    private var head = 0

    mutating func add(_ transfer: Transfer) {
        transfers.append(transfer)
    }

    mutating func next() -> Transfer? {
        guard head < transfers.count else { return nil }
        defer {
            head += 1
            if head == transfers.count {
                transfers.removeAll(keepingCapacity: true)
                head = 0
            }
        }
        return transfers[head]
    }

    mutating func takeAll() -> [Transfer] {
        defer {
            transfers = []
            head = 0
        }
        return Array(transfers[head...])
    }
}
