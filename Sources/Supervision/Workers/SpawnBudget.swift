import LinuxSystem

/// How many workers the machine may start in the place of others: so that workers which all crash, for whatever reason, do not become a
/// fork storm that takes the processor from the builds.
///
/// Each mount asks for one at a time and is served in turn, so a mount that asks often gets no more than its turn. What is on probation
/// leaves a reserve to the others.
struct SpawnBudget: Sendable {
    enum Priority: Hashable, Sendable {
        /// The worker before was of use.
        case takeover
        /// The worker before was of no use.
        case probation
    }

    static let burst = 128
    static let interval: Duration = .milliseconds(10)
    /// Tokens that those on probation leave.
    static let reserve = 64

    private var bucket = TokenBucket(burst: Self.burst, interval: Self.interval)
    private var takeovers: [UInt64] = []
    private var probations: [UInt64] = []

    /// Puts a request at the end of its line.
    mutating func enter(_ request: UInt64, _ priority: Priority) {
        switch priority {
        case .takeover: takeovers.append(request)
        case .probation: probations.append(request)
        }
    }

    /// Takes out everybody whose turn it is at `now`.
    mutating func admit(at now: Deadline) -> [UInt64] {
        var admitted: [UInt64] = []
        while let reserve = reserveOfNext, bucket.wait(at: now, leaving: reserve) == .zero {
            _ = bucket.take(at: now)
            admitted.append(takeovers.isEmpty ? probations.removeFirst() : takeovers.removeFirst())
        }
        return admitted
    }

    /// How long until the next one is admitted; nil if nobody waits.
    func wait(at now: Deadline) -> Duration? {
        reserveOfNext.map { bucket.wait(at: now, leaving: $0) }
    }

    /// What the first in line has to leave; nil if nobody waits.
    private var reserveOfNext: Int? {
        if !takeovers.isEmpty { return 0 }
        return probations.isEmpty ? nil : Self.reserve
    }
}
