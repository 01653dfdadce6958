/// What was counted of a mount's requests, or of several mounts' together.
public struct SessionStatistics: Hashable, Sendable {
    /// How long requests of one kind took.
    public struct Times: Hashable, Sendable {
        /// How many took no longer than each of `bounds` and longer than the one before; the last one has those beyond all.
        public internal(set) var buckets = [UInt64](repeating: 0, count: SessionStatistics.bounds.count + 1)
        /// Nanoseconds, together.
        public internal(set) var sum: UInt64 = 0

        public var count: UInt64 { buckets.reduce(0, &+) }
    }

    /// Nanoseconds.
    public static let bounds: [UInt64] = [
        10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000, 300_000_000,
        1_000_000_000, 3_000_000_000, 10_000_000_000,
    ]

    public private(set) var times = [Times](repeating: Times(), count: RequestKind.allCases.count)
    public private(set) var failures = [UInt64](repeating: 0, count: FailureCause.allCases.count)

    public init() {}

    public subscript(kind: RequestKind) -> Times {
        get { times[kind.rawValue] }
        set { times[kind.rawValue] = newValue }
    }

    public subscript(cause: FailureCause) -> UInt64 {
        get { failures[cause.rawValue] }
        set { failures[cause.rawValue] = newValue }
    }

    public static func += (sum: inout SessionStatistics, other: SessionStatistics) {
        for kind in sum.times.indices {
            sum.times[kind].sum &+= other.times[kind].sum
            for bucket in sum.times[kind].buckets.indices {
                sum.times[kind].buckets[bucket] &+= other.times[kind].buckets[bucket]
            }
        }
        for cause in sum.failures.indices { sum.failures[cause] &+= other.failures[cause] }
    }
}
