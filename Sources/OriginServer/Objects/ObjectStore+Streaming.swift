import GitObjects
import LinuxSystem
import NIOCore

extension ObjectStore {
    /// Reading on to the end of a blob is cheaper than a new process up to this many bytes.
    private static let drainLimit: UInt64 = 8 << 20
    private static let chunk = 256 * 1024

    /// Part of a blob of known size, in chunks, in bounded memory.
    func stream(_ id: ObjectID, size: UInt64, range: Range<UInt64>) throws(OriginError) -> ByteStream {
        let stream = try ByteStream()
        let transfer = Transfer(
            size: size, range: range, gitDeadline: self.limits.gitDeadline, writeDeadline: self.limits.writeDeadline)
        self.streams.start { (process, absence) throws(OriginError) in
            try process.contents(of: [id]) { (_, info) throws(OriginError) in
                try Self.expect(info, id, size, process, absence)
                do throws(OriginError) {
                    try Self.pump(process, stream, transfer)
                } catch {
                    stream.finish(.failure(error))
                    // Some of it may have been sent, so the pool must not try again; it drops the process.
                    throw OriginError(.clientGone, error.message)
                }
            }
        } failed: { error in
            stream.finish(.failure(error))
        }
        return stream
    }

    private struct Transfer: Sendable {
        let size: UInt64
        let range: Range<UInt64>
        let gitDeadline: Duration
        let writeDeadline: Duration
    }

    /// Returns once exactly the whole blob has been read from Git; throws when it has not.
    private static func pump(
        _ process: GitProcess, _ stream: ByteStream, _ transfer: Transfer
    ) throws(OriginError) {
        try Self.skip(transfer.range.lowerBound, process, transfer)
        var left = transfer.range.upperBound - transfer.range.lowerBound
        let tail = transfer.size - transfer.range.upperBound
        do throws(OriginError) {
            while left > 0 {
                var buffer = ByteBufferAllocator().buffer(capacity: Self.chunk)
                process.deadline = .after(transfer.gitDeadline)
                let wanted = Int(min(left, UInt64(Self.chunk)))
                try process.read(wanted, into: &buffer)
                left -= UInt64(wanted)
                try stream.push(buffer, deadline: .after(transfer.writeDeadline))
            }
            stream.finish(.success(()))
        } catch  where error.code == .clientGone {
            stream.finish(.failure(error))
        }
        guard left + tail <= Self.drainLimit else {
            throw OriginError(.clientGone, "the rest of the blob is not wanted")
        }
        try Self.skip(left + tail, process, transfer)
    }

    private static func skip(_ count: UInt64, _ process: GitProcess, _ transfer: Transfer) throws(OriginError) {
        var left = count
        while left > 0 {
            // The deadline is for progress, not for the whole.
            process.deadline = .after(transfer.gitDeadline)
            let step = min(left, Self.drainLimit)
            try process.skip(step)
            left -= step
        }
    }
}
