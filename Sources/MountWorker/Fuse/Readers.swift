import LinuxSystem

/// The threads that read requests of the kernel, and the memory that requests and replies are in: all there before there is a connection to read from,
/// because to start threads and to lock memory takes longer than all the rest of a takeover.
final class Readers: Sendable {
    typealias Work = @Sendable (_ slot: Int, _ request: UnsafeMutableRawBufferPointer) -> Void

    /// Bytes of a request: the smallest that fits the kernel's limit (fs/fuse/dev.c: FUSE_MIN_READ_BUFFER, and a write request of `maximumWrite`)
    /// in whole pages, with room for several FORGETs in one.
    static let requestSize = 32 * 1024

    /// What the threads have of it, so that these alone do not keep it.
    private final class Gate: Sendable {
        private let opened = Semaphore()
        private let work = Guarded<Work?>(nil)

        /// Nil if there will be no work.
        func pass() -> Work? {
            opened.wait()
            return work.with { $0 }
        }

        func open(for count: Int, to work: Work?) {
            self.work.with { $0 = work }
            for _ in 0..<count { opened.add() }
        }
    }

    let count: Int
    let replies: ReplyBuffers
    private let gate = Gate()
    private let hasBegun = Guarded(false)

    /// Starts the threads. Throws EAGAIN or ENOMEM when the process may have no more threads or lock no more memory: before anything is served.
    init(count: Int) throws(SystemError) {
        self.count = count
        replies = try ReplyBuffers(kept: count)
        for slot in 0..<count {
            let buffer = try ReplyBuffers.Buffer(size: Self.requestSize)
            try SystemThread.start(name: "fuse-\(slot)") { [gate] in gate.pass()?(slot, buffer.bytes) }.detach()
        }
    }

    deinit {
        if !hasBegun.with({ $0 }) { gate.open(for: count, to: nil) }
    }

    /// Has every thread do `work`. Once.
    func begin(_ work: @escaping Work) {
        hasBegun.with { $0 = true }
        gate.open(for: count, to: work)
    }
}
