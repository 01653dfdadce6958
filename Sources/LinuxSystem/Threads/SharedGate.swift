import Glibc

/// A gate that many pass side by side, or one alone: pthread_rwlock_init(3). Who wants to be alone does not wait for an endless stream of
/// others.
///
/// Never held for long: nothing that waits is done inside, and nobody passes it twice at a time.
public final class SharedGate: @unchecked Sendable {
    // Sendable: the lock is made for being used by several threads, and does not move.

    private let lock: UnsafeMutablePointer<pthread_rwlock_t>

    public init() {
        lock = UnsafeMutablePointer.allocate(capacity: 1)
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        pthread_rwlock_init(lock, &attributes)
        pthread_rwlockattr_destroy(&attributes)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    /// Calls `body` while nobody else is inside.
    public func alone(_ body: () -> Void) {
        pthread_rwlock_wrlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        body()
    }

    /// Calls `body` while nobody is inside alone.
    public func besideOthers(_ body: () -> Void) {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        body()
    }
}
