import FoundationEssentials
import LinuxSystem

/// What the cache owner says of itself, as far as the metrics show it.
struct CacheFigures: Decodable, Sendable {
    struct Origin: Decodable, Sendable {
        struct Place: Decodable, Sendable {
            let requests: UInt64
            let bytes: UInt64
            let failures: [String: UInt64]
            let latencyMilliseconds: Double
        }

        let name: String
        let state: String
        let objects: UInt64
        let objectBytes: UInt64
        let indexBytes: UInt64
        let quarantined: UInt64
        let waiters: Int
        let places: [Place]
        let imageBytes: UInt64
        /// Nil if the owner is of an earlier build, as is `retries`.
        let fetchTimes: Times?
        let retries: [String: UInt64]?
    }

    /// How long requests took; `bounds` and `sum` in seconds.
    struct Times: Decodable, Sendable {
        let bounds: [Double]
        let buckets: [UInt64]
        let sum: Double
    }

    let counters: [String: UInt64]
    let failures: [String: UInt64]
    let origins: [Origin]
    let droppedLogLines: UInt64

    init(json: String) throws {
        self = try JSONDecoder().decode(CacheFigures.self, from: Data(json.utf8))
    }

    private static let reads = [("directory", "directory"), ("blob", "blob"), ("stat", "stat")]
    private static let fetches = [
        ("tree", "treeFetches"), ("listing", "listingFetches"), ("blob", "blobFetches"), ("size", "sizeFetches"),
        ("pin", "pinFetches"), ("batch", "batchFetches"), ("readahead", "readaheadFetches"),
        ("capabilities", "capabilityFetches"), ("lfs_question", "lfsQuestions"), ("lfs_file", "lfsFetches"),
    ]
    private static let stages = [
        ("fetch", "verifyFailures"), ("tree", "refusedTrees"), ("size", "sizeMismatches"), ("disk", "damagedObjects"),
    ]

    /// Labels are of fixed sets, or names of the configuration.
    func write(to text: inout MetricsText) {
        text.family("antares_cache_requests_total", "What workers asked for, and whether it was there.", .counter)
        for (kind, prefix) in Self.reads {
            for result in ["Hits", "Misses"] {
                text.sample(
                    "antares_cache_requests_total",
                    [("kind", kind), ("result", result == "Hits" ? "hit" : "miss")], count(prefix + result))
            }
        }
        family("antares_cache_fetches_total", "Requests to origins, by what for.", "kind", Self.fetches, &text)
        family(
            "antares_cache_verify_failures_total", "What was not what it should be, by where it was seen.", "stage",
            Self.stages, &text)
        text.counter("antares_cache_fetched_bytes_total", "Bytes from origins.", count("bytesFetched"))
        text.counter(
            "antares_cache_slow_fetches_total", "Requests to origins that took longer than slow_operation.",
            count("slowFetches"))
        text.counter(
            "antares_cache_lfs_pointers_total", "Pointers of Git LFS that were found in trees.", count("lfsPointers"))
        text.counter("antares_cache_evicted_objects_total", "Objects that made room.", count("evictedObjects"))
        text.counter("antares_cache_storage_failures_total", "What the disk did not take.", count("storageFailures"))
        text.family(
            "antares_cache_failures_total", "Errors that workers were answered, by cause.", .counter)
        for (cause, number) in failures.sorted(by: { $0.key < $1.key }) {
            text.sample("antares_cache_failures_total", [("cause", cause)], Double(number))
        }
        writeOrigins(to: &text)
    }

    private func writeOrigins(to text: inout MetricsText) {
        func gauge(_ name: String, _ help: String, _ value: (Origin) -> Double) {
            text.family(name, help, .gauge)
            for origin in origins { text.sample(name, [("origin", origin.name)], value(origin)) }
        }
        gauge("antares_cache_objects", "Object files.") { Double($0.objects) }
        gauge("antares_cache_object_bytes", "What they take.") { Double($0.objectBytes) }
        gauge("antares_cache_image_bytes", "What sealed images take.") { Double($0.imageBytes) }
        gauge("antares_cache_index_bytes", "What the index takes.") { Double($0.indexBytes) }
        gauge("antares_cache_quarantined_objects", "Damaged objects that were set aside.") { Double($0.quarantined) }
        gauge("antares_cache_waiting_requests", "Requests that wait for a fetch.") { Double($0.waiters) }
        gauge("antares_origin_offline", "1 while none of the origin's places answers.") {
            $0.state == "offline" ? 1 : 0
        }
        gauge("antares_origin_latency_seconds", "To the end of an answer, moving average of the slowest place.") {
            ($0.places.map(\.latencyMilliseconds).max() ?? 0) / 1000
        }
        text.family("antares_origin_requests_total", "Requests to an origin.", .counter)
        for origin in origins {
            let number = origin.places.reduce(0) { $0 + $1.requests }
            text.sample("antares_origin_requests_total", [("origin", origin.name)], Double(number))
        }
        writeTimes(to: &text)
        text.family("antares_origin_retries_total", "Requests to an origin that were repeated, by cause.", .counter)
        for origin in origins {
            for (cause, number) in (origin.retries ?? [:]).sorted(by: { $0.key < $1.key }) {
                text.sample(
                    "antares_origin_retries_total", [("origin", origin.name), ("cause", cause)], Double(number))
            }
        }
        text.family("antares_origin_failures_total", "Requests to an origin that failed, by cause.", .counter)
        for origin in origins {
            let causes = origin.places.reduce(into: [String: UInt64]()) { $0.merge($1.failures, uniquingKeysWith: +) }
            for (cause, number) in causes.sorted(by: { $0.key < $1.key }) {
                text.sample(
                    "antares_origin_failures_total", [("origin", origin.name), ("cause", cause)], Double(number))
            }
        }
    }

    private func writeTimes(to text: inout MetricsText) {
        let name = "antares_origin_request_duration_seconds"
        text.family(name, "How long requests to an origin took to the end of the answer, each attempt.", .histogram)
        for origin in origins {
            guard let times = origin.fetchTimes, times.buckets.count == times.bounds.count + 1 else { continue }
            text.histogram(
                name, [("origin", origin.name)], bounds: times.bounds, buckets: times.buckets, sum: times.sum)
        }
    }

    private func family(
        _ name: String, _ help: String, _ label: String, _ values: [(String, String)], _ text: inout MetricsText
    ) {
        text.family(name, help, .counter)
        for (value, counter) in values { text.sample(name, [(label, value)], count(counter)) }
    }

    private func count(_ name: String) -> Double {
        Double(counters[name] ?? 0)
    }
}
