import Glibc

/// Where a child of the supervisor writes the lines of its log: to the supervisor, over a FIFO that the child was started with, or, where nobody reads that or it is
/// full, to standard error. A line that neither takes at once is lost; nobody waits.
public struct LineSink: Sendable {
    /// Nil: there is no supervisor that wants them.
    private let supervisor: Int32?
    private let standardError: Int32

    /// Only to standard error.
    public init(standardError: Int32 = 2) {
        supervisor = nil
        self.standardError = standardError
    }

    /// - Parameter number: The FIFO's descriptor that the process was started with. What is no FIFO counts as none, as a supervisor of another version may leave
    ///   it. To be called before the process opens anything.
    public init(inherited number: Int32, standardError: Int32 = 2) {
        let isPipe = (try? FileStatus(of: number)).map { $0.mode & S_IFMT == S_IFIFO } ?? false
        supervisor = isPipe ? number : nil
        self.standardError = standardError
    }

    /// A line with its end; at most PIPE_BUF bytes of it, so that it stays in one piece (pipe(7)). SIGPIPE must be ignored or blocked. False if it is lost.
    @discardableResult
    public func write(_ line: [UInt8]) -> Bool {
        var line = line
        if line.count > Int(PIPE_BUF) { line = line.prefix(Int(PIPE_BUF) - 1) + [UInt8(ascii: "\n")] }
        if let supervisor, Self.write(line, to: supervisor) { return true }
        return Self.write(line, to: standardError)
    }

    private static func write(_ line: [UInt8], to descriptor: Int32) -> Bool {
        // Who opened it may have left it blocking. A FIFO without a reader says POLLERR.
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) == 1, entry.revents & Int16(POLLERR) == 0, entry.revents & Int16(POLLOUT) != 0 else {
            return false
        }
        return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == line.count
    }
}
