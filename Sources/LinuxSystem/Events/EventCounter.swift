import CAntares
import Glibc

/// An eventfd(2): wakes a thread that polls, or that waits in `wait`.
public final class EventCounter: Sendable {
    private let file: OwnedFD

    /// With `semaphore`, `wait` blocks and takes one; without, the descriptor is non-blocking and meant for polling.
    public init(semaphore: Bool = false) throws(SystemError) {
        file = OwnedFD(taking: try check(ant_eventfd(semaphore ? 0 : 1, semaphore ? 1 : 0), "eventfd"))
    }

    /// The descriptor to poll; readable while the count is not zero.
    public var raw: Int32 {
        file.raw
    }

    /// Adds to the count and so wakes the reader. Safe from any thread.
    public func add(_ count: UInt64 = 1) {
        var value = count
        while write(file.raw, &value, 8) == -1 && Errno.current == .interrupted {}
    }

    /// Takes the count back to zero (or by one for a semaphore, waiting for it).
    public func wait() {
        var value: UInt64 = 0
        while read(file.raw, &value, 8) == -1 && Errno.current == .interrupted {}
    }

    /// Waits until the count is not zero, and takes it back; false if it still is at the deadline.
    public func wait(until deadline: Deadline) -> Bool {
        var entry = pollfd(fd: file.raw, events: Int16(POLLIN), revents: 0)
        while true {
            let found = poll(&entry, 1, deadline.pollTimeout)
            if found == 1 {
                wait()
                return true
            }
            if found == 0 && deadline.hasPassed { return false }
        }
    }

    /// Takes the count back to zero without waiting.
    public func clear() {
        wait()
    }
}
