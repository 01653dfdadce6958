import LinuxSystem

/// How an origin's requests went, for the status. Any thread may count.
final class FetchFigures: Sendable {
    /// How long requests took.
    struct Times: Codable, Hashable, Sendable {
        /// Upper bounds in seconds, ascending.
        var bounds: [Double] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
        /// How many took no longer than each bound and longer than the one before; the last one has those beyond all.
        var buckets = [UInt64](repeating: 0, count: 12)
        /// Seconds, together.
        var sum = 0.0

        mutating func note(_ seconds: Double) {
            buckets[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
            sum += seconds
        }
    }

    /// Why a request was repeated that failed without a failure of the place: it did not fit into the memory for bodies.
    static let overloaded = "overloaded"

    private struct State {
        var times = Times()
        var retries: [String: UInt64]
    }

    private let state = Guarded(
        State(
            retries: Dictionary(
                uniqueKeysWithValues: (PlaceFailure.allCases.map(\.rawValue) + [overloaded]).map { ($0, 0) })))

    func note(_ took: Duration) {
        state.with { $0.times.note(Double(took.nanoseconds) / 1e9) }
    }

    /// Counts a request that is made again.
    func retry(after failure: PlaceFailure?) {
        state.with { $0.retries[failure?.rawValue ?? Self.overloaded, default: 0] += 1 }
    }

    var times: Times { state.with { $0.times } }
    /// By cause.
    var retries: [String: UInt64] { state.with { $0.retries } }
}
