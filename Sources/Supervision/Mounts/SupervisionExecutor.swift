import Glibc
import LinuxSystem

/// The thread that all mount actors run on: one of its own, put before the rest of the machine.
///
/// Swift's own pool has as many threads as the machine has cores and competes with the builds; a takeover there would wait for its turn
/// behind them. The actors never block, so one thread carries hundreds of them.
final class SupervisionExecutor: SerialExecutor {
    /// Above every build, below the kernel's own threads.
    static let nice: Int32 = -10

    private let jobs: BlockingThreads
    private let thread = Guarded<pthread_t?>(nil)

    init() throws(SystemError) {
        jobs = try BlockingThreads(count: 1, name: "supervision", nice: Self.nice, isPrompt: true)
        jobs.submit { [thread] in thread.with { $0 = pthread_self() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.submit { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Runs `body` on the thread: for callbacks of other threads, which would else come by way of Swift's pool.
    func run(_ body: @escaping @Sendable () -> Void) {
        jobs.submit(body)
    }

    func isIsolatingCurrentContext() -> Bool? {
        thread.with { $0.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "not on the supervision thread")
    }
}
