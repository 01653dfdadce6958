import CacheProtocol
import FoundationEssentials
import Glibc

/// What the status request answers, as JSON.
struct StatusReport: Codable, Sendable {
    struct Origin: Codable, Sendable {
        var name: String
        /// Fetches under way, and requests that wait for them.
        var flights: Int
        var waiters: Int
        /// Bytes of the index in use.
        var indexBytes: UInt64
        /// Object files and their bytes, rounded up to blocks.
        var objects: UInt64
        var objectBytes: UInt64
        /// Sealed images with their tables of sizes, in bytes, and how many of them living mounts stand on.
        var images: Int
        var imageBytes: UInt64
        var mountedImages: Int
        /// Damaged objects that were set aside.
        var quarantined: UInt64
        var quarantinedBytes: UInt64
        /// Not all is counted yet, something waits to be stored, or a damaged index is being brought over.
        var isBusy: Bool
        /// `online`, `degraded` (a place does not answer) or `offline`, and then for how long.
        var state: String
        var offlineSeconds: Int64?
        var places: [Place]
        /// Of requests to it, each attempt for itself, and to servers that it names.
        var fetchTimes: FetchFigures.Times?
        /// Requests that were repeated, by the cause.
        var retries: [String: UInt64]
        /// Those that have not ended, and the last ones that have.
        var preloads: [PreloadReport]
    }

    /// One of an origin's addresses.
    struct Place: Codable, Sendable {
        var url: String
        var answers: Bool
        var requests: UInt64
        var bytes: UInt64
        /// By cause.
        var failures: [String: UInt64]
        /// To the end of an answer, moving average.
        var latencyMilliseconds: Double
    }

    /// The file system that the stores are on.
    struct Disk: Codable, Sendable {
        var freeBytes: UInt64
        var freeInodes: UInt64
        var totalBytes: UInt64
        var totalInodes: UInt64

        /// Nil if it cannot be asked.
        init?(of path: String) {
            var status = statvfs()
            guard statvfs(path, &status) == 0 else { return nil }
            freeBytes = UInt64(status.f_bavail) * UInt64(status.f_frsize)
            totalBytes = UInt64(status.f_blocks) * UInt64(status.f_frsize)
            freeInodes = UInt64(status.f_favail)
            totalInodes = UInt64(status.f_files)
        }
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
    var eviction: Evictor.Report
    var sweep: SweepReport
    var disk: Disk?
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

extension PlaceTable {
    /// In the words of the status.
    var state: String {
        isOffline ? "offline" : places.contains(where: \.isBroken) ? "degraded" : "online"
    }

    var report: [StatusReport.Place] {
        places.map { place in
            StatusReport.Place(
                url: place.base, answers: !place.isBroken, requests: place.requests, bytes: place.bytes,
                // All causes: a series of the metrics has to be there before it grows.
                failures: Dictionary(
                    uniqueKeysWithValues: PlaceFailure.allCases.map { ($0.rawValue, place.failures[$0] ?? 0) }),
                latencyMilliseconds: (place.latency * 100).rounded() / 100)
        }
    }
}
