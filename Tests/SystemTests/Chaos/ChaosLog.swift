import Glibc
import LinuxSystem

/// What was done and what was seen, with the time since the start; and what went wrong.
final class ChaosLog: Sendable {
    private struct State {
        var lines: [String] = []
        var failures: [String] = []
    }

    private let state = Guarded(State())
    private let began = Deadline.now
    private let file: String?

    init(_ file: String?) {
        self.file = file
    }

    var lines: [String] { state.with { $0.lines } }
    var failures: [String] { state.with { $0.failures } }

    func note(_ text: String) {
        let seconds = String(Deadline.now.since(began).nanoseconds / 1_000_000)
        let padded = String(repeating: " ", count: max(0, 8 - seconds.count)) + seconds
        let line = "+\(padded) ms  \(text)"
        state.with { $0.lines.append(line) }
        guard let file, let output = try? File.open(file, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644) else { return }
        try? Array((line + "\n").utf8).withUnsafeBytes { try File.write(output.raw, $0) }
    }

    func fail(_ text: String) {
        state.with { $0.failures.append(text) }
        note("FAILED: \(text)")
    }
}
