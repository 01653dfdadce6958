import CAntares

/// The last two pages, which the word at 1048 leads to: what was counted, and which requests wait.
///
///     0        kinds of requests, 128 bytes each: 14 buckets, then the sum of the times
///     2048     failures by cause, 8 bytes each
///     4096     256 requests that wait, 16 bytes each: number and start
///
/// A memory of an earlier build has no such pages: there nothing is counted. To an earlier build they are the end of the block table.
extension SessionMemory {
    static let statisticsSize = 8192
    private static let kindSize = 128
    private static let causesOffset = 2048
    private static let waitingOffset = 4096
    /// Requests that wait and are known by their start; of more, the oldest.
    public static let waitingCapacity = 256

    /// Counts a request that was answered.
    public func note(_ kind: RequestKind, took nanoseconds: UInt64) {
        guard let statistics else { return }
        let base = statistics + kind.rawValue * Self.kindSize
        let bounds = SessionStatistics.bounds
        var bucket = 0
        while bucket < bounds.count, nanoseconds > bounds[bucket] { bucket += 1 }
        _ = ant_add_relaxed(word(base + bucket * 8), 1)
        _ = ant_add_relaxed(word(base + (bounds.count + 1) * 8), nanoseconds)
    }

    /// Counts a request that was answered with an error.
    public func note(_ cause: FailureCause) {
        guard let statistics else { return }
        _ = ant_add_relaxed(word(statistics + Self.causesOffset + cause.rawValue * 8), 1)
    }

    /// All that was counted.
    public var counts: SessionStatistics {
        var counts = SessionStatistics()
        guard let statistics else { return counts }
        for kind in RequestKind.allCases {
            let base = statistics + kind.rawValue * Self.kindSize
            for bucket in counts[kind].buckets.indices {
                counts[kind].buckets[bucket] = ant_load_acquire(word(base + bucket * 8))
            }
            counts[kind].sum = ant_load_acquire(word(base + counts[kind].buckets.count * 8))
        }
        for cause in FailureCause.allCases {
            counts[cause] = ant_load_acquire(word(statistics + Self.causesOffset + cause.rawValue * 8))
        }
        return counts
    }

    // MARK: Requests that wait

    /// Notes that a request waits, and since when; the place it has then, nil if there is none left. One thread at a time.
    public func noteWaiting(_ unique: UInt64, since start: UInt64) -> Int? {
        guard let statistics, unique != 0 else { return nil }
        for place in 0..<Self.waitingCapacity {
            let entry = statistics + Self.waitingOffset + place * 16
            guard ant_load_acquire(word(entry)) == 0 else { continue }
            ant_store_release(word(entry + 8), start)
            ant_store_release(word(entry), unique & ~FuseMessage.resentBit)
            return place
        }
        return nil
    }

    public func clearWaiting(_ place: Int) {
        guard let statistics, place >= 0, place < Self.waitingCapacity else { return }
        ant_store_release(word(statistics + Self.waitingOffset + place * 16), 0)
    }

    /// Takes what the last worker left waiting, by its number; the kernel sends it again. Before the first request is read.
    public func takeWaiting() -> [UInt64: UInt64] {
        var found: [UInt64: UInt64] = [:]
        guard let statistics else { return found }
        for place in 0..<Self.waitingCapacity {
            let entry = statistics + Self.waitingOffset + place * 16
            let unique = ant_load_acquire(word(entry))
            guard unique != 0 else { continue }
            found[unique] = ant_load_acquire(word(entry + 8))
            clearWaiting(place)
        }
        return found
    }

    /// Requests that the worker has taken and not answered; of an earlier build's worker those that its threads work on.
    public var unansweredCount: Int {
        guard layout == Self.currentLayout else { return 0 }
        var numbers = Set(inFlight().values.map(\.original.unique))
        if let statistics {
            for place in 0..<Self.waitingCapacity {
                let unique = ant_load_acquire(word(statistics + Self.waitingOffset + place * 16))
                if unique != 0 { numbers.insert(unique) }
            }
        }
        return numbers.count
    }

    /// When the request that has been in a worker's hands for longest came there, in nanoseconds of CLOCK_MONOTONIC; nil if there is none, or
    /// if an earlier build's worker serves. Needs no worker's help.
    public var oldestRequest: UInt64? {
        guard layout == Self.currentLayout else { return nil }
        var starts = (0..<Self.slotCount).compactMap { start(slot: $0) }
        if let statistics {
            for place in 0..<Self.waitingCapacity {
                let entry = statistics + Self.waitingOffset + place * 16
                if ant_load_acquire(word(entry)) != 0 { starts.append(ant_load_acquire(word(entry + 8))) }
            }
        }
        return starts.lazy.filter { $0 != 0 }.min()
    }
}
