import CAntares
import Glibc

/// A thread outside Swift's concurrency pool: for system calls that block.
public struct SystemThread: Sendable {
    private final class Body: Sendable {
        let name: String
        let nice: Int32
        let isPrompt: Bool
        let run: @Sendable () -> Void

        init(name: String, nice: Int32, isPrompt: Bool, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.nice = nice
            self.isPrompt = isPrompt
            self.run = run
        }
    }

    /// Enough for what is written for such threads.
    public static let usualStack = 256 * 1024

    private let handle: pthread_t

    /// Starts a thread named `name` (15 bytes show in ps(1)) with `stackSize` bytes of stack. A negative `nice` puts it before the rest of
    /// the machine (setpriority(2)); without the right to do so it runs as any other. `isPrompt` as in `becomePrompt`. Throws EAGAIN when the
    /// process may have no more threads.
    public static func start(
        name: String, nice: Int32 = 0, isPrompt: Bool = false, stackSize: Int = usualStack,
        _ run: @escaping @Sendable () -> Void
    ) throws(SystemError) -> SystemThread {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let body = Unmanaged.passRetained(Body(name: name, nice: nice, isPrompt: isPrompt, run: run))
        var handle = pthread_t()
        let error = pthread_create(&handle, &attributes, threadEntry, body.toOpaque())
        guard error == 0 else {
            body.release()
            throw SystemError(Errno(rawValue: error), "pthread_create", name)
        }
        return SystemThread(handle: handle)
    }

    /// The kernel's number of the calling thread (gettid(2)), by which /proc/PID/task knows it.
    public static var currentID: Int32 {
        ant_thread_id()
    }

    /// Has the calling thread, and threads that it starts, run as soon as they are woken: they ask for short slices, and a thread with a
    /// shorter slice takes the processor from one with a longer one (kernel/sched/fair.c, PREEMPT_SHORT, since Linux 6.12). A higher priority
    /// alone does not: it would wait for the end of a compiler's slice, some 3 ms, for each of the wake-ups that an answer takes. Its share of
    /// the processor stays the same. For threads that work for microseconds at a time.
    public static func becomePrompt() {
        // Where there is no such thing, it is as any other.
        _ = ant_set_slice(100_000)
    }

    /// Waits for the thread to end. Call once, from another thread.
    public func join() {
        pthread_join(handle, nil)
    }

    /// Lets the thread's resources go when it ends; it can no longer be joined.
    public func detach() {
        pthread_detach(handle)
    }

    private static let threadEntry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
        argument in
        let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
        _ = ant_set_thread_name(String(body.name.prefix(15)))
        // On Linux a thread has a nice value of its own, and 0 names the calling thread.
        if body.nice != 0 { setpriority(Int32(PRIO_PROCESS.rawValue), 0, body.nice) }
        if body.isPrompt { becomePrompt() }
        body.run()
        return nil
    }
}
