import Glibc
import LinuxSystem
import Synchronization

/// Lines on standard error: `level event key=value…`. A reader that does not read costs lines, never a wait.
final class Log: Sendable {
    private let descriptor: Int32
    private let lines: LineSink
    private let dropped = Atomic<UInt64>(0)

    /// `lines` gets them, too.
    init(descriptor: Int32 = 2, lines: LineSink = LineSink()) {
        self.descriptor = descriptor
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
        let bytes = Array(text.utf8)
        let isKept = lines.write(bytes)
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let isTaken = poll(&entry, 1, 0) == 1 && entry.revents & Int16(POLLOUT) != 0
        if !isKept || !isTaken { dropped.add(1, ordering: .relaxed) }
        guard isTaken else { return }
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
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
