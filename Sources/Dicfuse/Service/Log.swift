import Glibc
import LinuxSystem
import Synchronization

/// Lines for the supervisor, or standard error: `level event key=value…`. A reader that does not read costs lines, never a wait.
final class Log: Sendable {
    private let lines: LineSink
    private let dropped = Atomic<UInt64>(0)

    init(lines: LineSink = LineSink()) {
        self.lines = lines
    }

    func info(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) { line("info", event, fields) }
    func warning(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) { line("warning", event, fields) }
    func error(_ event: String, _ fields: KeyValuePairs<String, String> = [:]) { line("error", event, fields) }

    /// The line that says that requests are accepted.
    func ready() { write("info event=ready\n") }

    var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

    private func line(_ level: String, _ event: String, _ fields: KeyValuePairs<String, String>) {
        var text = "\(level) event=\(event)"
        for (key, value) in fields { text += " \(key)=\(Self.quoted(value))" }
        write(text + "\n")
    }

    private func write(_ text: String) {
        if !lines.write(Array(text.utf8)) { dropped.add(1, ordering: .relaxed) }
    }

    /// Quoted where needed, so that a line stays one line and fields can be told apart.
    static func quoted(_ value: String) -> String {
        let plain = value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x5C && $0 < 0x7F }
        if plain && !value.isEmpty { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            default: text += scalar.value < 0x20 || scalar.value == 0x7F ? "?" : String(scalar)
            }
        }
        return text + "\""
    }
}
