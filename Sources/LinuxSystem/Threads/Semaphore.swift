import Glibc

/// A count that threads wait for (sem_overview(7)). Each addition wakes one of them, where an eventfd(2) would wake all that wait.
public final class Semaphore: @unchecked Sendable {
    // Sendable: `raw` is only touched by sem_post(3) and sem_wait(3), which any thread may call.

    private let raw: UnsafeMutablePointer<sem_t>

    public init() {
        raw = UnsafeMutablePointer.allocate(capacity: 1)
        sem_init(raw, 0, 0)
    }

    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }

    public func add() {
        sem_post(raw)
    }

    /// Takes one, when there is one.
    public func wait() {
        while sem_wait(raw) == -1 && Errno.current == .interrupted {}
    }
}
