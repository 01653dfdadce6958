import Glibc
import LinuxSystem

/// Workers that are started ahead, so that a mount or a takeover does not wait for one to start.
actor SparePool {
    /// Time for a new worker to say what it speaks.
    static let greetingTimeout: Duration = .seconds(5)

    /// Longer than a mount takes to be made.
    private static let refillDelay: Duration = .milliseconds(10)

    private let launcher: WorkerLauncher
    private let executor: SupervisionExecutor
    private let threads: BlockingThreads
    private let connections: SpareConnections
    private var target: Int
    private let log: any SupervisorLog
    private let events: EventLog
    private var spares: [WorkerProcess] = []
    /// Workers that have not said yet what they speak.
    private var unknown: [WorkerProcess] = []
    /// Workers being started, and who waits until there are none.
    private var launches = 0
    private var idle: [CheckedContinuation<Void, Never>] = []
    private var backoff = RestartBackoff()
    private var refilling = false
    private var stopped = false

    init(
        launcher: WorkerLauncher, target: Int, executor: SupervisionExecutor, threads: BlockingThreads,
        connections: SpareConnections,
        log: any SupervisorLog, events: EventLog
    ) {
        self.launcher = launcher
        self.executor = executor
        self.threads = threads
        self.connections = connections
        self.target = target
        self.log = log
        self.events = events
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    var count: Int {
        spares.count
    }

    var pids: [Int32] {
        spares.map(\.pid)
    }

    /// A worker that waits for a connection: a spare if there is one, else a new process. The next one is started a little later, so that the
    /// mount it is taken for need not share the processors with a program that starts.
    func take() async throws(WorkerFailure) -> WorkerProcess {
        defer { refill(after: Self.refillDelay) }
        while let spare = spares.popLast() {
            // One that somebody stopped would take over nothing.
            if spare.process.isStopped {
                spare.signal(SIGKILL)
            } else if !spare.hasEnded {
                return spare
            }
        }
        return try await launch()
    }

    /// Starts what is missing, one after another, apart from the caller.
    func refill() {
        guard !refilling, !stopped, spares.count < target else { return }
        refilling = true
        Task { await self.refillNow() }
    }

    private func refill(after delay: Duration) {
        Task {
            try? await Pause.sleep(for: delay)
            self.refill()
            self.connections.refill()
        }
    }

    /// Keeps another number of spares from now on.
    func retarget(_ count: Int) {
        target = count
        while spares.count > target { spares.removeLast().signal(SIGKILL) }
        refill()
    }

    /// Ends the spares, those too that are just being started, and returns when they have ended. None is started any more.
    func stop() async {
        stopped = true
        let ending = spares + unknown
        spares = []
        for worker in ending { worker.signal(SIGKILL) }
        while launches > 0 { await withCheckedContinuation { idle.append($0) } }
        for worker in ending {
            await withCheckedContinuation { continuation in worker.onEnd { _ in continuation.resume() } }
        }
    }

    private func refillNow() async {
        defer { refilling = false }
        do {
            while spares.count < target, !stopped {
                let spare = try await launch()
                if stopped { return spare.signal(SIGKILL) }
                spares.append(spare)
                spare.onEnd { status in Task { await self.ended(spare, status) } }
            }
        } catch {
            retryLater(error.description)
        }
    }

    /// Apart from the supervision thread: it waits until the new process has reached execve(2), and a mount should not wait with it.
    func launch() async throws(WorkerFailure) -> WorkerProcess {
        launches += 1
        defer { noteLaunched() }
        let launcher = launcher
        let worker = try await threads.run { () throws(WorkerFailure) in try launcher.launch() }
        unknown.append(worker)
        defer { unknown.removeAll { $0 === worker } }
        do throws(WorkerFailure) {
            if stopped { throw WorkerFailure(pid: worker.pid, reason: "the supervisor is stopping") }
            try await worker.greet(deadline: .after(Self.greetingTimeout))
        } catch {
            let byItself = await threads.run { worker.process.waitForEnd(until: .after(MountEnvironment.lastBreath)) }
            worker.signal(SIGKILL)
            let end = WorkerEnd(status: await worker.ended())
            throw WorkerFailure(pid: error.pid, reason: error.reason, worth: byItself ? end.worth : .useless)
        }
        return worker
    }

    private func noteLaunched() {
        launches -= 1
        guard launches == 0 else { return }
        let waiting = idle
        idle = []
        for waiter in waiting { waiter.resume() }
    }

    private func ended(_ spare: WorkerProcess, _ status: ExitStatus) {
        guard let index = spares.firstIndex(where: { $0 === spare }) else { return }
        spares.remove(at: index)
        if !stopped { retryLater("a spare ended with \(status)") }
    }

    /// A program that cannot start must not become a fork storm.
    private func retryLater(_ reason: String) {
        let delay = backoff.next(at: .now)
        events.record(.spareLost, cause: reason)
        log.log(.warning, "spare worker lost", [("reason", reason), ("retry_in", "\(delay)")])
        refill(after: delay)
    }
}
