import Glibc
import LinuxSystem
import NIOCore

/// Bytes on their way from a thread that reads Git's pipe to the task that writes them to a client, a few chunks at most.
///
/// The thread waits while the client is slow, and learns when it has gone.
final class ByteStream: Sendable {
    private struct State {
        var chunks: [ByteBuffer] = []
        var waiter: CheckedContinuation<Void, Never>?
        var end: Result<Void, OriginError>?
        var cancelled = false
    }

    private static let depth = 4

    private let state = Guarded(State())
    private let room: EventCounter

    init() throws(OriginError) {
        do {
            self.room = try EventCounter()
        } catch {
            throw OriginError(.gitFailed, "no descriptor is free for a transfer", cause: error)
        }
    }

    /// Thread side: hands over a chunk, waiting for room.
    /// - Throws: `clientGone` when the reader has gone or took nothing until the deadline.
    func push(_ chunk: ByteBuffer, deadline: Deadline) throws(OriginError) {
        enum Outcome { case done, full, cancelled }
        while true {
            let (outcome, waiter): (Outcome, CheckedContinuation<Void, Never>?) = self.state.with { state in
                if state.cancelled { return (.cancelled, nil) }
                if state.chunks.count >= Self.depth { return (.full, nil) }
                state.chunks.append(chunk)
                defer { state.waiter = nil }
                return (.done, state.waiter)
            }
            waiter?.resume()
            switch outcome {
            case .done: return
            case .cancelled: throw OriginError(.clientGone, "the client went away")
            case .full:
                var polled = pollfd(fd: self.room.raw, events: Int16(POLLIN), revents: 0)
                if poll(&polled, 1, deadline.pollTimeout) == 0, deadline.hasPassed {
                    throw OriginError(.clientGone, "the client takes no data")
                }
                self.room.clear()
            }
        }
    }

    /// Thread side: nothing follows. Only the first call counts.
    func finish(_ end: Result<Void, OriginError>) {
        let waiter: CheckedContinuation<Void, Never>? = self.state.with { state in
            state.end = state.end ?? end
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Task side: the reader wants no more.
    func cancel() {
        let waiter: CheckedContinuation<Void, Never>? = self.state.with { state in
            state.cancelled = true
            state.chunks = []
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
        self.room.add()
    }

    /// Task side: the next chunk, nil at the end. One task only.
    func next() async throws -> ByteBuffer? {
        while true {
            let (chunk, end, cancelled) = self.state.with { state -> (ByteBuffer?, Result<Void, OriginError>?, Bool) in
                let chunk = state.chunks.isEmpty ? nil : state.chunks.removeFirst()
                return (chunk, state.end, state.cancelled)
            }
            if cancelled { throw CancellationError() }
            if let chunk {
                self.room.add()
                return chunk
            }
            if let end {
                try end.get()
                return nil
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let ready = self.state.with { state in
                        if !state.chunks.isEmpty || state.end != nil || state.cancelled { return true }
                        state.waiter = continuation
                        return false
                    }
                    if ready { continuation.resume() }
                }
            } onCancel: {
                self.cancel()
            }
        }
    }
}
