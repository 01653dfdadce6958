import Glibc

/// A process by pid and start time: the pair is never reused before the next boot, a pid alone is.
public struct ProcessIdentity: Hashable, Sendable, CustomStringConvertible {
    public let pid: Int32
    /// Clock ticks after boot (proc(5), /proc/PID/stat field 22).
    public let startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// Reads the start time of a living process, or nil if there is none with this pid.
    public init?(of pid: Int32) {
        guard let line = try? File.text("/proc/\(pid)/stat"), let close = line.lastIndex(of: ")") else { return nil }
        // The command name before the last parenthesis may hold spaces and parentheses.
        let fields = line[line.index(after: close)...].split(separator: " ")
        guard fields.count > 19, let start = UInt64(fields[19]) else { return nil }
        self.init(pid: pid, startTime: start)
    }

    public static var current: ProcessIdentity {
        ProcessIdentity(of: getpid()) ?? ProcessIdentity(pid: getpid(), startTime: 0)
    }

    public var description: String {
        "pid \(pid) started \(startTime)"
    }
}
