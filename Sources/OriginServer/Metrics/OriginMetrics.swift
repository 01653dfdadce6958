import LinuxSystem

/// What the origin has done since its start, in the text format Prometheus reads.
final class OriginMetrics: Sendable {
    private struct Answer: Hashable {
        let route: String
        let method: String
        let status: Int
    }

    private struct State {
        var answers: [Answer: UInt64] = [:]
        var objectBytes: UInt64 = 0
        var blobs: UInt64 = 0
        var trees: UInt64 = 0
    }

    private let state = Guarded(State())

    func answered(_ route: String, method: String, status: Int) {
        // Methods are the client's text; what no route knows is counted together.
        let known = ["GET", "HEAD", "POST"].contains(method) ? method : "other"
        self.state.with { $0.answers[Answer(route: route, method: known, status: status), default: 0] += 1 }
    }

    /// Bytes of objects, with their frames, that were handed to the network.
    func sent(_ bytes: Int) {
        self.state.with { $0.objectBytes += UInt64(bytes) }
    }

    /// Blobs whose content was given, whole or in part.
    func servedBlobs(_ count: Int) {
        self.state.with { $0.blobs += UInt64(count) }
    }

    /// Trees given by the extensions.
    func servedTrees(_ count: Int) {
        self.state.with { $0.trees += UInt64(count) }
    }

    func exposition(gitRestarts: UInt64) -> String {
        let state = self.state.with { state -> State in state }
        func family(_ name: String, _ help: String) -> String {
            "# HELP antares_origin_\(name)_total \(help)\n# TYPE antares_origin_\(name)_total counter\n"
        }
        var text = family("requests", "Answers, by route, method and status.")
        let order = state.answers.sorted {
            ($0.key.route, $0.key.method, $0.key.status) < ($1.key.route, $1.key.method, $1.key.status)
        }
        for (answer, count) in order {
            text += "antares_origin_requests_total{route=\"\(answer.route)\",method=\"\(answer.method)\","
            text += "status=\"\(answer.status)\"} \(count)\n"
        }
        let totals = [
            (
                "object_bytes", "Bytes of objects, with their frames, that were handed to the network.",
                state.objectBytes
            ),
            ("blobs_served", "Blobs whose content was given, whole or in part.", state.blobs),
            ("trees_served", "Trees given by the extensions.", state.trees),
            ("git_restarts", "Git processes that had to be replaced.", gitRestarts),
        ]
        for (name, help, value) in totals {
            text += family(name, help) + "antares_origin_\(name)_total \(value)\n"
        }
        return text
    }
}
