import CAntares
import Glibc

/// The descriptors that came with a message. Those nobody takes are closed.
public final class ReceivedFDs: @unchecked Sendable {
    // Sendable: owned by the one task or thread that received the message.

    private var numbers: [Int32] = []

    init() {}

    deinit {
        for number in numbers where number >= 0 { close(number) }
    }

    public var count: Int {
        numbers.count
    }

    /// Takes the descriptor at `index`, or nil if none came there or it was taken.
    public func take(_ index: Int) -> OwnedFD? {
        guard numbers.indices.contains(index), numbers[index] >= 0 else { return nil }
        defer { numbers[index] = -1 }
        return OwnedFD(taking: numbers[index])
    }

    func receive(_ socket: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        var fds = [Int32](repeating: -1, count: Int(ANT_MAX_FDS))
        var count: Int32 = 0
        let n = fds.withUnsafeMutableBufferPointer {
            ant_receive(socket, buffer.baseAddress, buffer.count, $0.baseAddress, &count)
        }
        let saved = errno
        numbers = Array(fds.prefix(Int(count)))
        errno = saved
        return n
    }
}
