import Glibc

/// A program that looks at something that may hang: it is given a time, and killed when that is over.
public final class DisposableChild: Sendable {
    public struct Output: Sendable {
        /// What it wrote to its standard output.
        public var bytes: [UInt8]
        /// How it ended; nil if it was killed at its deadline.
        public var status: ExitStatus?
    }

    /// How long a killed process may take to end before somebody else has to reap it: one that waits in the kernel for a server that is silent
    /// ends only with it.
    public static let patience: Duration = .milliseconds(100)

    private let child: ChildProcess
    private let output: OwnedFD
    private let deadline: Deadline
    private let limit: Int

    /// Starts it with nothing but a pipe as standard output.
    public init(
        _ program: String, _ arguments: [String], until deadline: Deadline, maximumOutput: Int = 1 << 16
    ) throws(SystemError) {
        let pipe = try Pipe()
        let spec = ProcessSpec(path: program, arguments: arguments, environment: [], fds: [nil, pipe.write.raw, nil])
        child = try ChildProcess.spawn(spec)
        output = pipe.takeRead()
        self.deadline = deadline
        limit = maximumOutput
    }

    /// Waits for the end, kills it at the deadline. Blocks until then. One that does not end even so is left to `monitor` to reap.
    public func finish(patience: Duration = DisposableChild.patience, reapedBy monitor: ExitMonitor? = nil) -> Output {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while bytes.count < limit {
            var entry = pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0)
            let n = poll(&entry, 1, deadline.pollTimeout)
            if n == 0 { break }
            if n < 0 { continue }
            let count = read(output.raw, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk[..<count]
        }
        if child.waitForEnd(until: deadline) { return Output(bytes: bytes, status: child.reap()) }
        child.signal(SIGKILL)
        if child.waitForEnd(until: .after(patience)) {
            _ = child.reap()
        } else {
            monitor?.whenEnded(child) { _ in }
        }
        return Output(bytes: bytes, status: nil)
    }
}
