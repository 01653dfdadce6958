import CacheProtocol
import FoundationEssentials

/// What the status request answers, as JSON.
struct StatusReport: Codable, Sendable {
    struct Origin: Codable, Sendable {
        var name: String
        /// Fetches under way, and requests that wait for them.
        var flights: Int
        var waiters: Int
        /// Bytes of the index in use.
        var indexBytes: UInt64
    }

    var version: String
    var uptimeSeconds: Int64
    /// Whether the store was left in order by the owner before this one.
    var previousEndedCleanly: Bool
    var workers: Int
    var counters: [String: UInt64]
    /// Errors answered, by code.
    var failures: [String: UInt64]
    var droppedLogLines: UInt64
    var origins: [Origin]

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let data = try? encoder.encode(self) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}

extension Counters {
    var named: [String: UInt64] {
        Dictionary(uniqueKeysWithValues: Counter.allCases.map { ($0.rawValue, self[$0]) })
    }

    var failuresByCode: [String: UInt64] {
        Dictionary(uniqueKeysWithValues: CacheError.Code.allCases.map { ("\($0)", self[failure: $0]) })
    }
}
