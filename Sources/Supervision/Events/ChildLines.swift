import Glibc
import LinuxSystem

/// Reads what workers and the cache owner write into their logs, and passes it on to the supervisor's.
///
/// One FIFO and one thread for all of them. It has a name in the run directory, so that the next supervisor finds it, and with it the processes that this one leaves
/// behind. Who writes too much fills the FIFO and writes to standard error itself, as while there is no supervisor.
final class ChildLines: Sendable {
    static let name = "lines"
    /// More are not read: a child gone mad is not to have its say in the log before everybody else.
    static let linesPerSecond = 500
    /// Bytes of a line; of a longer one the rest is passed over.
    static let maximumLine = 4096

    private let path: String
    private let reader: SharedFD
    /// So that the reader sees no end before this one is gone, whether children are there or not.
    private let keeper: SharedFD
    private let log: any SupervisorLog

    /// Makes the FIFO, unless an earlier supervisor has, and starts to read.
    init(runDirectory: String, log: any SupervisorLog) throws(SystemError) {
        path = runDirectory + "/" + Self.name
        self.log = log
        if mkfifo(path, 0o600) == -1 {
            guard Errno.current == .exists else { throw SystemError(.current, "mkfifo", path) }
            if try FileStatus(of: path).mode & S_IFMT != S_IFIFO {
                try File.remove(path)
                try check(mkfifo(path, 0o600), "mkfifo", path)
            }
        }
        reader = SharedFD(try File.open(path, O_RDONLY | O_NONBLOCK))
        keeper = SharedFD(try File.open(path, O_WRONLY | O_NONBLOCK))
        try SystemThread.start(name: "child-lines") { [reader, log] in Self.read(reader, log) }.detach()
    }

    /// An end for a child, with flags of its own: no child can make others wait. Nil if there is none to be had; then its lines go to standard error.
    func openEnd() -> SharedFD? {
        do throws(SystemError) {
            return SharedFD(try File.open(path, O_WRONLY | O_NONBLOCK))
        } catch {
            return nil
        }
    }

    /// Takes the name away.
    func remove() {
        unlink(path)
    }

    private static func read(_ reader: SharedFD, _ log: any SupervisorLog) {
        var buffer = [UInt8](repeating: 0, count: 65536)
        var splitter = LineSplitter(maximum: maximumLine)
        var second = Deadline.now
        var count = 0
        while true {
            var entry = pollfd(fd: reader.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, -1) > 0 else { continue }
            let length = Glibc.read(reader.raw, &buffer, buffer.count)
            // Not even the keeper is there any more, and a FIFO without writers is always ready to be read: poll(2) would never wait again.
            if length == 0 { return }
            guard length > 0 else { continue }
            for line in splitter.take(buffer[..<length]) {
                let line = ChildLine(String(decoding: line, as: UTF8.self))
                log.relay(line.level, of: line.part, line.message, line.fields)
                count += 1
            }
            let now = Deadline.now
            if now.since(second) >= .seconds(1) { (second, count) = (now, 0) }
            if count >= linesPerSecond { usleep(1_000_000) }
        }
    }
}
