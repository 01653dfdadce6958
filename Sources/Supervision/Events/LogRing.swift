import LinuxSystem

/// A line of the log, as it is kept.
public struct LogLine: Hashable, Sendable {
    /// Grows by one with each line.
    public let number: UInt64
    /// Milliseconds after 1970.
    public let time: Int64
    public let level: LogLevel
    public let part: LogPart
    public let message: String
    public let fields: [SupervisionEvent.Detail]

    /// Whether it is about this mount, or about the job of that name.
    public func concerns(_ name: String) -> Bool {
        fields.contains { ($0.name == "mount" || $0.name == "job" || $0.name == "target") && $0.value == name }
    }
}

/// The last lines of the log, in memory: for whoever asks when standard error went to where nobody looks.
public final class LogRing: Sendable {
    public static let capacity = 2000
    /// Bytes of a message and of a field; longer ones are cut.
    public static let maximumText = 1024

    private struct State {
        var lines: [LogLine] = []
        /// Where the oldest is, once the ring is full.
        var head = 0
        var count: UInt64 = 0
    }

    private let capacity: Int
    private let state = Guarded(State())

    public init(capacity: Int = LogRing.capacity) {
        self.capacity = capacity
    }

    public func add(time: Int64, _ level: LogLevel, part: LogPart, _ message: String, _ fields: [(String, String)]) {
        let details = fields.map { SupervisionEvent.Detail($0.0, Self.cut($0.1)) }
        let message = Self.cut(message)
        state.with { state in
            state.count += 1
            let line = LogLine(
                number: state.count, time: time, level: level, part: part, message: message, fields: details)
            if state.lines.count < capacity {
                state.lines.append(line)
            } else {
                state.lines[state.head] = line
                state.head = (state.head + 1) % capacity
            }
        }
    }

    /// The last lines, oldest first: at most `count`, of this level or above, about a mount's id or a job if one is named.
    public func last(_ count: Int, about name: String? = nil, from level: LogLevel = .trace) -> [LogLine] {
        let (lines, head) = state.with { ($0.lines, $0.head) }
        let ordered = lines[head...] + lines[..<head]
        return ordered.filter { line in line.level >= level && (name.map { line.concerns($0) } ?? true) }.suffix(count)
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= maximumText ? text : String(text.prefix(maximumText / 4)) + "…"
    }
}
