import LinuxSystem

/// Where those who replace a worker wait until the `SpawnBudget` has one for them.
actor SpawnGate {
    private let executor: SupervisionExecutor
    private var budget = SpawnBudget()
    private var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var next: UInt64 = 1
    private var isPumping = false

    init(executor: SupervisionExecutor) {
        self.executor = executor
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    /// Returns when a worker may be started.
    func pass(_ priority: SpawnBudget.Priority) async {
        await withCheckedContinuation { continuation in
            waiters[next] = continuation
            budget.enter(next, priority)
            next += 1
            pump()
        }
    }

    private func pump() {
        let now = Deadline.now
        for request in budget.admit(at: now) { waiters.removeValue(forKey: request)?.resume() }
        guard !isPumping, let wait = budget.wait(at: now) else { return }
        isPumping = true
        Task {
            try? await Pause.sleep(for: max(wait, .milliseconds(1)))
            self.isPumping = false
            self.pump()
        }
    }
}
