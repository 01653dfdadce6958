import Glibc

/// A value behind a lock. Whoever needs a lock holds its state in a `Guarded`; what has no state is kept apart by a `SharedGate`.
///
/// A pthread mutex, because the thread sanitizer knows it. Never blocks for long: no system call that waits and no callback is made
/// inside `with`.
public final class Guarded<State>: @unchecked Sendable {
    // Sendable: `state` is only touched by the thread that holds `mutex`.

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    public init(_ state: sending State) {
        self.state = state
        mutex = UnsafeMutablePointer.allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    public func with<Result: ~Copyable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}
