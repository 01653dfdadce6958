import Glibc
import LinuxSystem

/// Reads in /proc about processes that may hang, on threads of its own and with a limit: a read that does not come back costs the supervisor
/// nothing but that thread.
final class Examiner: Sendable {
    /// Time for one look at a process.
    static let limit: Duration = .milliseconds(500)

    private let threads: BlockingThreads

    init() throws(SystemError) {
        threads = try BlockingThreads(count: 4, name: "examine", nice: SupervisionExecutor.nice)
    }

    /// The threads of a process; empty if they cannot be seen in time.
    func threads(of pid: Int32) async -> [ThreadSample] {
        await read { ThreadSample.all(of: pid) } ?? []
    }

    /// What a process is doing, for people; nil if that cannot be read in time.
    func report(on pid: Int32) async -> [String]? {
        await read { BlackBox.read(pid) }
    }

    private func read<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value? {
        let limit = Task { try await Pause.sleep(for: Self.limit) }
        let first = FirstOf<Value>()
        return await withCheckedContinuation { continuation in
            first.wait(continuation)
            threads.submit {
                first.resume(body())
                limit.cancel()
            }
            Task {
                if (try? await limit.value) != nil { first.resume(nil) }
            }
        }
    }

    /// Resumes a continuation with what comes first.
    private final class FirstOf<Value: Sendable>: Sendable {
        private let continuation = Guarded<CheckedContinuation<Value?, Never>?>(nil)

        func wait(_ continuation: CheckedContinuation<Value?, Never>) {
            self.continuation.with { $0 = continuation }
        }

        func resume(_ value: Value?) {
            continuation.with { $0.take() }?.resume(returning: value)
        }
    }
}
