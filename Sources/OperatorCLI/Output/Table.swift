import Glibc
import LinuxSystem

/// Columns of text, as wide as they need to be.
struct Table {
    let header: [String]
    var rows: [[String]] = []

    init(_ header: [String]) {
        self.header = header
    }

    /// Columns of a terminal; a longer cell moves the rest of its own row only.
    static let widestCell = 64

    /// One line each, without spaces at the end.
    var lines: [String] {
        let all = ([header] + rows).map { $0.map(Printable.text) }
        let widths = header.indices.map { column in
            all.map { TerminalText.width($0[column]) }.filter { $0 <= Self.widestCell }.max() ?? 0
        }
        return all.map { row in
            let cells = zip(row, widths).map {
                $0 + String(repeating: " ", count: max(0, $1 - TerminalText.width($0)))
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

enum Printable {
    /// What a client chose must not steer a terminal.
    static func text(_ text: String) -> String {
        TerminalText.line(text)
    }

    /// `1.5 MiB`.
    static func size(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        var unit = "B"
        for next in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
            value /= 1024
            unit = next
        }
        if unit == "B" { return "\(bytes) B" }
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(unit)"
    }

    /// RFC 3339 in UTC with milliseconds.
    static func time(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int, _ count: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = "\(1900 + parts.tm_year)-\(digits(Int(parts.tm_mon) + 1))-\(digits(Int(parts.tm_mday)))"
        let time = "\(digits(Int(parts.tm_hour))):\(digits(Int(parts.tm_min))):\(digits(Int(parts.tm_sec)))"
        return "\(date)T\(time).\(digits(Int(milliseconds % 1000), 3))Z"
    }

    /// `850 µs`, `3.2 ms`, `41 ms`, `1.6 s`, and from a minute on as below.
    static func duration(milliseconds: Double) -> String {
        func digits(_ value: Double) -> String {
            let tenths = Int((value * 10).rounded())
            return value < 10 ? "\(tenths / 10).\(tenths % 10)" : String(Int(value.rounded()))
        }
        switch milliseconds {
        case ..<0.9995: return "\(Int((max(0, milliseconds) * 1000).rounded())) µs"
        case ..<999.5: return digits(milliseconds) + " ms"
        case ..<59_950: return digits(milliseconds / 1000) + " s"
        default: return duration(seconds: Int(clamping: Int64(min(milliseconds / 1000, 1e15))))
        }
    }

    /// `1d 2h`, `3h 4m`, `5m 6s`, `7s`.
    static func duration(seconds: Int) -> String {
        let parts = [(seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
        let shown = parts.drop { $0.0 == 0 }.prefix(2)
        return shown.isEmpty ? "0s" : shown.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }
}
