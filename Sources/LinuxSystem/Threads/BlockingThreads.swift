/// A fixed set of threads for blocking system calls, called from async code.
///
/// An actor that must make a call which can block hands it over here and suspends; Swift's own pool is never blocked. Jobs are taken
/// in order by whichever thread is free. The jobs bound themselves (each has a deadline or a cancellation of its own): a thread cannot
/// be taken out of a system call.
public final class BlockingThreads: Sendable {
    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var closed = false

        mutating func takeFirst() -> @Sendable () -> Void {
            let job = jobs[head]
            head += 1
            // Jobs that were taken must go, with what they hold, also when the queue is never empty.
            if head == jobs.count || head >= 64 && head * 2 >= jobs.count {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }
    }

    /// Who gets the results.
    public enum Callers: Sendable {
        /// Anybody.
        case any
        /// Actors that have a thread of their own: the result goes straight to it (`TaskThreads.resuming`).
        case actorsWithThreads
    }

    private let callers: Callers
    private let queue = Guarded(Queue())
    private let wakeups = Semaphore()

    /// Starts `count` threads named `name`; `nice`, `isPrompt` and `stackSize` as in `SystemThread.start`.
    public init(
        count: Int, name: String, nice: Int32 = 0, isPrompt: Bool = false, stackSize: Int = SystemThread.usualStack,
        callers: Callers = .any
    ) throws(SystemError) {
        self.callers = callers
        for _ in 0..<count {
            try SystemThread.start(name: name, nice: nice, isPrompt: isPrompt, stackSize: stackSize) {
                [queue, wakeups] in
                while let job = Self.next(queue, wakeups) { job() }
            }.detach()
        }
        threadCount = count
    }

    private let threadCount: Int

    /// Ends the threads once the queued jobs are done.
    deinit {
        queue.with { $0.closed = true }
        for _ in 0..<threadCount { wakeups.add() }
    }

    /// Runs `body` on one of the threads.
    public func run<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
            submit { [callers] in
                let result = Result { () throws(Failure) in try body() }
                switch callers {
                case .any: continuation.resume(returning: result)
                case .actorsWithThreads: TaskThreads.resuming { continuation.resume(returning: result) }
                }
            }
        }
        return try result.get()
    }

    /// Queues `job` and returns at once.
    public func submit(_ job: @escaping @Sendable () -> Void) {
        queue.with { $0.jobs.append(job) }
        wakeups.add()
    }

    private static func next(_ queue: Guarded<Queue>, _ wakeups: Semaphore) -> (@Sendable () -> Void)? {
        while true {
            wakeups.wait()
            let (job, closed): ((@Sendable () -> Void)?, Bool) = queue.with { queue in
                guard queue.head < queue.jobs.count else { return (nil, queue.closed) }
                return (queue.takeFirst(), false)
            }
            if let job { return job }
            if closed { return nil }
        }
    }
}
