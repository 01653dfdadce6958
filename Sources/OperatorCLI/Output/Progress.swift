import Glibc
import LinuxSystem

/// Shows how far something is, in one line on stderr, if that is a terminal; else nothing.
enum Progress {
    /// How far it is.
    struct Step: Hashable {
        let text: String
        /// From 0 to 1; nil if nobody knows.
        let share: Double?

        init(_ text: String, done: UInt64 = 0, of total: UInt64 = 0) {
            self.text = text
            share = total == 0 ? nil : min(1, Double(done) / Double(total))
        }
    }

    /// Cells of a bar, without its ends.
    static let barWidth = 24

    /// A bar if the share is known, and the text, cut to the width of the terminal.
    static func line(_ step: Step, width: Int) -> String {
        var line = Printable.text(step.text)
        if let share = step.share {
            let filled = Int(share * Double(barWidth))
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
            line = "[\(bar)] \(Int(share * 100))% " + line
        }
        return String(line.prefix(max(0, width - 1)))
    }

    static var isShown: Bool { isatty(STDERR_FILENO) == 1 }

    static func show(_ step: Step) {
        Terminal.write("\r\u{1B}[K\(line(step, width: width))", to: STDERR_FILENO)
    }

    static func clear() {
        Terminal.write("\r\u{1B}[K", to: STDERR_FILENO)
    }

    /// Shows what is being done while `body` does it.
    static func during<Result>(_ text: String, _ body: () throws(CLIError) -> Result) throws(CLIError) -> Result {
        guard isShown else { return try body() }
        show(Step(text))
        defer { clear() }
        return try body()
    }

    /// Watches something that goes on in the cache owner.
    ///
    /// - Parameters:
    ///   - limit: Seconds; nil for as long as the supervisor answers.
    ///   - describe: How far it is; nil when it has ended.
    static func wait(
        _ client: SupervisorClient, limit: Int?, _ describe: (CacheReport) -> Step?
    ) throws(CLIError) -> SupervisorClient.Answer<CacheReport> {
        let isShown = isShown
        let begin = time(nil)
        var pause: UInt32 = 10_000
        defer { if isShown { clear() } }
        while true {
            let answer = try client.cache()
            guard let step = describe(answer.value) else { return answer }
            if isShown { show(step) }
            if let limit, time(nil) - begin > limit {
                throw CLIError(.internalError, "it still goes on after \(limit) s; look with `antares cache status`")
            }
            usleep(pause)
            pause = min(pause * 2, 500_000)
        }
    }

    /// Columns of the terminal (tty_ioctl(4)).
    private static var width: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}
