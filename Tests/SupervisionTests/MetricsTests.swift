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
        metrics.mountLatency.observe(.sealed, .milliseconds(3))
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

    @Test func mountsAreToldByWhatTheyStandOn() {
        let metrics = Metrics()
        metrics.mountLatency.observe(.lazy, .milliseconds(3))
        metrics.mountLatency.observe(.failed, .milliseconds(3))
        let lines = text(metrics).split(separator: "\n")
        let name = "antares_mount_duration_seconds_count"
        #expect(lines.contains("\(name){outcome=\"ready\",lower=\"lazy\"} 1"))
        #expect(lines.contains("\(name){outcome=\"ready\",lower=\"sealed\"} 0"))
        #expect(lines.contains("\(name){outcome=\"failed\",lower=\"none\"} 1"))
    }

    @Test func unmountsAreToldByTheRungThatDidIt() {
        var report = UnmountReport()
        #expect(UnmountRungLabel(report) == .plain)
        report.killed = [4711]
        #expect(UnmountRungLabel(report) == .killed)
        report.rung = .forced
        #expect(UnmountRungLabel(report) == .forced)
    }

    /// As `StatusReport` of the cache owner writes it; of an earlier build without what came later.
    private static func figures(more: String) -> String {
        """
        {"counters": {"lfsFetches": 3, "lfsQuestions": 4, "lfsPointers": 5}, "failures": {"corrupt": 2},
         "droppedLogLines": 6, "origins": [{"name": "main", "state": "offline", "objects": 1, "objectBytes": 4096,
         "indexBytes": 8192, "imageBytes": 512, "quarantined": 0, "waiters": 1, "places": [
           {"requests": 5, "bytes": 6, "failures": {"timedOut": 0, "corrupt": 2}, "latencyMilliseconds": 1.5},
           {"requests": 0, "bytes": 0, "failures": {"timedOut": 0, "corrupt": 0}, "latencyMilliseconds": 0}
         ]\(more)}]}
        """
    }

    @Test func theCachesFiguresAreShownByOrigin() throws {
        let more = """
            , "fetchTimes": {"bounds": [0.1, 1], "buckets": [1, 2, 3], "sum": 40.5},
            "retries": {"timedOut": 7, "corrupt": 0}
            """
        var text = MetricsText()
        try CacheFigures(json: Self.figures(more: more)).write(to: &text)
        let lines = text.text.split(separator: "\n")
        for line in [
            "antares_origin_request_duration_seconds_bucket{origin=\"main\",le=\"0.1\"} 1",
            "antares_origin_request_duration_seconds_bucket{origin=\"main\",le=\"1\"} 3",
            "antares_origin_request_duration_seconds_bucket{origin=\"main\",le=\"+Inf\"} 6",
            "antares_origin_request_duration_seconds_sum{origin=\"main\"} 40.5",
            "antares_origin_retries_total{origin=\"main\",cause=\"timedOut\"} 7",
            "antares_origin_retries_total{origin=\"main\",cause=\"corrupt\"} 0",
            "antares_origin_failures_total{origin=\"main\",cause=\"timedOut\"} 0",
            "antares_origin_failures_total{origin=\"main\",cause=\"corrupt\"} 2",
            "antares_origin_offline{origin=\"main\"} 1", "antares_cache_fetches_total{kind=\"lfs_file\"} 3",
            "antares_cache_fetches_total{kind=\"lfs_question\"} 4", "antares_cache_lfs_pointers_total 5",
            "antares_cache_image_bytes{origin=\"main\"} 512",
        ] {
            #expect(lines.contains(Substring(line)), "\(line)")
        }
    }

    @Test func anOwnerOfAnEarlierBuildIsUnderstood() throws {
        let figures = try CacheFigures(json: Self.figures(more: ""))
        var text = MetricsText()
        figures.write(to: &text)
        #expect(figures.droppedLogLines == 6)
        #expect(!text.text.contains("antares_origin_retries_total{"))
        #expect(!text.text.contains("antares_origin_request_duration_seconds_bucket"))
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
