import Glibc
import LinuxSystem

/// Writes lines to a descriptor from a thread of its own: a reader that is stuck or a disk that is full delays nobody, and what does not
/// fit the queue is dropped and counted.
final class LogWriter: Sendable {
    private struct State {
        var lines: [String] = []
        var bytes = 0
        var dropped = 0
        /// Since the start.
        var droppedInAll: UInt64 = 0
        /// The thread has taken lines that it has not yet written.
        var isWriting = false
    }

    private let fd: Int32
    private let limit: Int
    private let loss: @Sendable (Int) -> String
    private let state = Guarded(State())
    private let wakeups: EventCounter

    /// - Parameters:
    ///   - fd: Must stay open.
    ///   - limit: How many bytes may wait.
    ///   - loss: The line that says that so many were dropped.
    init(fd: Int32, limit: Int = 1 << 20, loss: @escaping @Sendable (Int) -> String) throws(SystemError) {
        self.fd = fd
        self.limit = limit
        self.loss = loss
        wakeups = try EventCounter(semaphore: true)
        try SystemThread.start(name: "log") { [self] in
            while true {
                wakeups.wait()
                writeAll()
            }
        }.detach()
    }

    /// Queues a line; never waits.
    func write(_ line: String) {
        let isQueued = state.with { state -> Bool in
            guard state.bytes + line.utf8.count < limit else {
                state.dropped += 1
                state.droppedInAll += 1
                return false
            }
            state.lines.append(line)
            state.bytes += line.utf8.count
            return true
        }
        if isQueued { wakeups.add() }
    }

    /// Lines that did not fit, since the start.
    var droppedLines: UInt64 { state.with { $0.droppedInAll } }

    /// Waits until what was queued is written, or the deadline passes.
    func flush(until deadline: Deadline) {
        while !deadline.hasPassed, state.with({ !$0.lines.isEmpty || $0.isWriting }) { usleep(1000) }
    }

    private func writeAll() {
        let (lines, dropped) = state.with { state -> ([String], Int) in
            defer {
                state.lines = []
                state.bytes = 0
                state.dropped = 0
                state.isWriting = true
            }
            return (state.lines, state.dropped)
        }
        var text = lines.map { $0 + "\n" }.joined()
        if dropped > 0 { text += loss(dropped) + "\n" }
        // An error leaves nothing to be done: there is nowhere to tell it.
        text.withUTF8 { try? File.write(fd, UnsafeRawBufferPointer($0)) }
        state.with { $0.isWriting = false }
    }
}
