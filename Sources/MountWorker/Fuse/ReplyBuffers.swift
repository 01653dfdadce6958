import LinuxSystem

/// Resident memory for replies, shared by the threads of a worker. A reply copied from memory that has to be faulted in could be lost to a
/// SIGKILL half-way.
final class ReplyBuffers: Sendable {
    /// Bytes of the smaller buffers, which serve a worker in whose mount only names and small files are looked at: what readdir(3) asks for.
    static let smallSize = 32 * 1024
    /// Bytes of the larger ones: the kernel's default readahead.
    static let largeSize = 128 * 1024

    final class Buffer: Sendable {
        private let memory: ResidentBuffer

        init(size: Int) throws(SystemError) {
            memory = try ResidentBuffer(size: size)
        }

        /// For the one thread that took the buffer.
        var bytes: UnsafeMutableRawBufferPointer {
            memory.bytes
        }
    }

    private struct Idle {
        var small: [Buffer]
        var large: [Buffer] = []
    }

    private let idle: Guarded<Idle>
    private let kept: Int

    /// Makes one buffer now, so that a limit on locked memory shows before anything is served; keeps `kept` of each size.
    init(kept: Int) throws(SystemError) {
        self.kept = kept
        idle = Guarded(Idle(small: [try Buffer(size: Self.smallSize)]))
    }

    /// A buffer of at least `size` bytes.
    func take(_ size: Int) throws(SystemError) -> Buffer {
        if size <= Self.smallSize {
            if let buffer = idle.with({ $0.small.popLast() }) { return buffer }
            return try Buffer(size: Self.smallSize)
        }
        if size <= Self.largeSize, let buffer = idle.with({ $0.large.popLast() }) { return buffer }
        return try Buffer(size: max(size, Self.largeSize))
    }

    func giveBack(_ buffer: Buffer) {
        idle.with { idle in
            switch buffer.bytes.count {
            case Self.smallSize where idle.small.count < kept: idle.small.append(buffer)
            case Self.largeSize where idle.large.count < kept: idle.large.append(buffer)
            default: break
            }
        }
    }
}
