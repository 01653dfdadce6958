import LinuxSystem

/// Resident memory for replies, shared by the threads of a worker. A reply copied from memory that has to be faulted in could be lost to a
/// SIGKILL half-way.
final class ReplyBuffers: Sendable {
    /// Bytes of a pooled buffer: the kernel's default readahead.
    static let usualSize = 128 * 1024

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

    private let idle: Guarded<[Buffer]>
    private let kept: Int

    /// Makes one buffer now, so that a limit on locked memory shows before anything is served; keeps `kept`.
    init(kept: Int) throws(SystemError) {
        self.kept = kept
        idle = Guarded([try Buffer(size: Self.usualSize)])
    }

    /// A buffer of at least `size` bytes.
    func take(_ size: Int) throws(SystemError) -> Buffer {
        if size <= Self.usualSize, let buffer = idle.with({ $0.popLast() }) { return buffer }
        return try Buffer(size: max(size, Self.usualSize))
    }

    func giveBack(_ buffer: Buffer) {
        guard buffer.bytes.count == Self.usualSize else { return }
        idle.with { if $0.count < kept { $0.append(buffer) } }
    }
}
