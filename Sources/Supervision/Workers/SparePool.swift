import Glibc
import LinuxSystem

/// Workers that are started ahead, so that a mount or a takeover does not wait for one to start.
actor SparePool {
    private let launcher: WorkerLauncher
    private let executor: SupervisionExecutor
    private let threads: BlockingThreads
    private let target: Int
    private let log: any SupervisorLog
    private var spares: [WorkerProcess] = []
    private var backoff = RestartBackoff()
    private var refilling = false
    private var stopped = false

    init(
        launcher: WorkerLauncher, target: Int, executor: SupervisionExecutor, threads: BlockingThreads,
        log: any SupervisorLog
    ) {
        self.launcher = launcher
        self.executor = executor
        self.threads = threads
        self.target = target
        self.log = log
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    var count: Int {
        spares.count
    }

    /// A worker that waits for a connection: a spare if there is one, else a new process.
    func take() async throws(WorkerFailure) -> WorkerProcess {
        defer { refill() }
        while let spare = spares.popLast() {
            if !spare.hasEnded { return spare }
        }
        return try await launch()
    }

    /// Starts what is missing, one after another, apart from the caller.
    func refill() {
        guard !refilling, !stopped, spares.count < target else { return }
        refilling = true
        Task { await self.refillNow() }
    }

    /// Ends the spares; none is started any more.
    func stop() {
        stopped = true
        for spare in spares { spare.signal(SIGKILL) }
        spares = []
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
    private func launch() async throws(WorkerFailure) -> WorkerProcess {
        let launcher = launcher
        return try await threads.run { () throws(WorkerFailure) in try launcher.launch() }
    }

    private func ended(_ spare: WorkerProcess, _ status: ExitStatus) {
        guard let index = spares.firstIndex(where: { $0 === spare }) else { return }
        spares.remove(at: index)
        if !stopped { retryLater("a spare ended with \(status)") }
    }

    /// A program that cannot start must not become a fork storm.
    private func retryLater(_ reason: String) {
        let delay = backoff.next(at: .now)
        log.log(.warning, "spare worker lost", [("reason", reason), ("retry_in", "\(delay)")])
        Task {
            try? await Task.sleep(for: delay)
            self.refill()
        }
    }
}
