import ArgumentParser
import Glibc
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
            let tail = fields.map { " \($0.0)=\(Self.plain($0.1))" }.joined()
            return "\(time) \(level.rawValue) \(part.rawValue) \(Self.oneLine(message))\(tail)"
        case .json:
            let own = [("time", time), ("level", level.rawValue), ("part", part.rawValue), ("message", message)]
            // A child names its fields as it likes, and a name twice is for no reader of JSON (RFC 8259 §4).
            let all =
                own + fields.map { field in (own.contains { $0.0 == field.0 } ? field.0 + "_" : field.0, field.1) }
            return "{" + all.map { "\(Self.quoted($0.0)):\(Self.quoted($0.1))" }.joined(separator: ",") + "}"
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

    /// A value as it is where that is unambiguous, else quoted.
    private static func plain(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 < 0x7F }
        return isPlain ? value : quoted(value)
    }

    /// Nobody's message may forge a second line.
    private static func oneLine(_ text: String) -> String {
        text.utf8.contains { $0 < 0x20 } ? String(quoted(text).dropFirst().dropLast()) : text
    }

    /// A JSON string (RFC 8259 §7).
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
