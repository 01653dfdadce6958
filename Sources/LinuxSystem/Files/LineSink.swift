import Glibc

/// Where a child of the supervisor writes the lines of its log a second time, besides standard error: a FIFO that it was started with, and that the
/// supervisor reads. A line for which there is no room, or no supervisor, is dropped; nobody waits.
public struct LineSink: Sendable {
    /// Nil: nobody wants them.
    private let descriptor: Int32?

    /// One that takes nothing.
    public init() {
        descriptor = nil
    }

    /// The descriptor that the process was started with; takes nothing if it is no FIFO, as a supervisor of another version may leave it. To be called before the
    /// process opens anything.
    public init(inherited number: Int32) {
        let isPipe = (try? FileStatus(of: number)).map { $0.mode & S_IFMT == S_IFIFO } ?? false
        descriptor = isPipe ? number : nil
    }

    /// A line with its end; at most PIPE_BUF bytes of it, so that it stays in one piece (pipe(7)). SIGPIPE must be ignored or blocked. False if somebody wants
    /// it and there is no room.
    @discardableResult
    public func write(_ line: [UInt8]) -> Bool {
        guard let descriptor else { return true }
        // The supervisor opened it non-blocking, but it is not to be relied on.
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) == 1 else { return false }
        if entry.revents & Int16(POLLERR) != 0 { return true }
        var line = line
        if line.count > Int(PIPE_BUF) { line = line.prefix(Int(PIPE_BUF) - 1) + [UInt8(ascii: "\n")] }
        return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == line.count
    }
}
