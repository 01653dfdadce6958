import ArgumentParser
import Glibc
import LinuxSystem
import Logging
import Supervision

/// How a line of the log looks.
enum LogFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    /// `2026-01-31T12:00:00.000Z info supervisor message key=value`, for people.
    case text
    /// One JSON object a line, for machines.
    case json

    /// The line that says that lines were dropped.
    func loss(_ count: Int) -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return line(
            time: time, level: .warning, part: .supervisor,
            message: "lines of the log were dropped: standard error does not take them in time",
            fields: [("lines", "\(count)")])
    }

    /// One line without its end.
    func line(time: timespec, level: Logger.Level, part: LogPart, message: String, fields: [(String, String)]) -> String
    {
        let time = Self.timestamp(time)
        switch self {
        case .text:
            let tail = fields.map { " \($0.0)=\(FieldText.value($0.1))" }.joined()
            return "\(time) \(level.rawValue) \(part.rawValue) \(FieldText.line(message))\(tail)"
        case .json:
            let own = [("time", time), ("level", level.rawValue), ("part", part.rawValue), ("message", message)]
            // A child names its fields as it likes, and a name twice is for no reader of JSON (RFC 8259 §4).
            let all =
                own + fields.map { field in (own.contains { $0.0 == field.0 } ? field.0 + "_" : field.0, field.1) }
            return "{" + all.map { "\(FieldText.quoted($0.0)):\(FieldText.quoted($0.1))" }.joined(separator: ",") + "}"
        }
    }

    /// RFC 3339 in UTC with milliseconds.
    private static func timestamp(_ time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int32, _ width: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        let clock = "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
        return "\(date)T\(clock).\(padded(Int32(time.tv_nsec / 1_000_000), 3))Z"
    }
}
