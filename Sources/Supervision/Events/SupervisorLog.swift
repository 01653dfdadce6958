/// How much a line of the log matters, least first.
public enum LogLevel: String, Comparable, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical

    public static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.severity < right.severity
    }

    private var severity: Int {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }
}

/// Where the supervisor writes what happens. An implementation must not block for long: actors call it.
public protocol SupervisorLog: Sendable {
    /// `fields` are named values for machines, in the order in which they are shown.
    func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)])
    /// Passes on a line that a child has written itself. `fields` as above.
    func relay(_ level: LogLevel, of part: LogPart, _ message: String, _ fields: [(String, String)])
    /// Lines that found no room.
    var droppedLines: UInt64 { get }
}

extension SupervisorLog {
    public func log(_ level: LogLevel, _ message: String) {
        log(level, message, [])
    }

    public func relay(_ level: LogLevel, of part: LogPart, _ message: String, _ fields: [(String, String)]) {}

    public var droppedLines: UInt64 { 0 }
}

/// Drops everything, for tests.
public struct NoLog: SupervisorLog {
    public init() {}

    public func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {}
}
