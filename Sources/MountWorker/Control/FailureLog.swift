import Glibc
import LinuxSystem
import WorkerProtocol

/// Lines for the supervisor, or standard error: never blocking, and of failures only a few each second.
final class FailureLog: Sendable {
    private static let linesPerSecond = 10

    private struct Window {
        var start: UInt64 = 0
        var lines = 0
        var suppressed = 0
    }

    private let window = Guarded(Window())
    private let prefix: String

    private let lines: LineSink
    /// Counts what is left out, or taken by nobody.
    private let memory: SessionMemory?

    init(mount: String, lines: LineSink = LineSink(), memory: SessionMemory? = nil) {
        self.lines = lines
        self.memory = memory
        prefix = "antares-worker[\(getpid())] \(mount): "
    }

    /// Notes why an operation failed.
    func note(_ failure: Failure) {
        let now = Deadline.now.nanoseconds
        let (print, suppressed) = window.with { window -> (Bool, Int) in
            if now - window.start >= 1_000_000_000 {
                let suppressed = window.suppressed
                window = Window(start: now, lines: 1)
                return (true, suppressed)
            }
            window.lines += 1
            if window.lines > Self.linesPerSecond { window.suppressed += 1 }
            return (window.lines <= Self.linesPerSecond, 0)
        }
        if suppressed > 0 { say("\(suppressed) more failures") }
        if print { say(failure.description) } else { memory?.add(.unlogged) }
    }

    /// Writes a line, or drops it if nobody reads: the supervisor may hang, and standard error be its pipe.
    func say(_ text: String) {
        let line = Array((prefix + text).utf8.prefix(1023)) + [UInt8(ascii: "\n")]
        if !lines.write(line) { memory?.add(.unlogged) }
    }
}
