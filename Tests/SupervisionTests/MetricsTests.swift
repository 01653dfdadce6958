import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite struct MetricsTests {
    private func text(_ metrics: Metrics) -> String {
        var text = MetricsText()
        metrics.write(to: &text)
        text.gauge("antares_example", "A \"help\" with \\ and\na line.", 0.25)
        return text.text
    }

    @Test func countersAreShownForEveryLabel() {
        let metrics = Metrics()
        metrics.workerRestarts.add(.killed, 2)
        let lines = text(metrics).split(separator: "\n")
        #expect(lines.contains("antares_worker_restarts_total{reason=\"killed\"} 2"))
        #expect(lines.contains("antares_worker_restarts_total{reason=\"crashed\"} 0"))
        #expect(lines.contains("antares_events_total{kind=\"takeover\"} 0"))
        #expect(lines.contains("# HELP antares_example A \"help\" with \\\\ and\\na line."))
        #expect(lines.contains("antares_example 0.25"))
    }

    @Test func bucketsAreCumulative() {
        let metrics = Metrics()
        for milliseconds in [1, 4, 4, 60_000] { metrics.takeoverGap.observe(.killed, .milliseconds(milliseconds)) }
        let lines = text(metrics).split(separator: "\n").filter {
            $0.hasPrefix("antares_takeover_gap_seconds") && $0.contains("\"killed\"")
        }
        func count(_ bound: String) -> Substring? {
            lines.first { $0.contains("le=\"\(bound)\"") }?.split(separator: " ").last
        }
        #expect(count("0.0005") == "0")
        #expect(count("0.001") == "1")
        #expect(count("0.005") == "3")
        #expect(count("10") == "3")
        #expect(count("+Inf") == "4")
        #expect(lines.last == "antares_takeover_gap_seconds_count{reason=\"killed\"} 4")
        #expect(lines.dropLast().last == "antares_takeover_gap_seconds_sum{reason=\"killed\"} 60.009")
    }

    @Test(.enabled(if: promtool != nil, "promtool (Debian: prometheus) is not installed"))
    func promtoolHasNothingToSay() throws {
        let metrics = Metrics()
        metrics.takeoverGap.observe(.crashed, .milliseconds(3))
        metrics.mountLatency.observe(.ready, .milliseconds(3))
        let path = "/tmp/antares-metrics-\(getpid())"
        try File.replace(path, with: Array(text(metrics).utf8))
        defer { unlink(path) }
        let spec = ProcessSpec(
            path: "/bin/sh", arguments: ["-c", "\(promtool ?? "") check metrics <\(path)"],
            environment: ["PATH=/usr/bin:/bin"], fds: [nil, nil, 2])
        let process = try ChildProcess.spawn(spec)
        #expect(process.waitForEnd(until: Deadline.after(.seconds(30))))
        #expect(process.reap() == .code(0))
    }

    @Test func statusesHaveReasons() {
        #expect(RestartReason(.signal(SIGKILL)) == .killed)
        #expect(RestartReason(.signal(SIGSEGV)) == .crashed)
        #expect(RestartReason(.code(1)) == .exited)
        #expect(RestartReason(.unknown) == .unknown)
    }
}

/// `ANTARES_PROMTOOL`, else where Debian's package has it.
private let promtool: String? = {
    let given = getenv("ANTARES_PROMTOOL").map { String(cString: $0) }
    let path: String = given ?? "/usr/bin/promtool"
    return access(path, X_OK) == 0 ? path : nil
}()
