import LinuxSystem

/// A rate with a burst (the generic cell rate algorithm): `burst` at once, then one every `interval`.
struct TokenBucket: Sendable {
    let burst: Int
    let interval: Duration
    /// When the bucket is full again, if nothing more is taken.
    private var fullAt = Deadline(nanoseconds: 0)

    init(burst: Int, interval: Duration) {
        self.burst = burst
        self.interval = interval
    }

    /// How long it takes until there is a token more than `reserve`; zero: there is one.
    func wait(at now: Deadline, leaving reserve: Int = 0) -> Duration {
        let usable = UInt64(max(1, burst - reserve)) - 1
        let room = interval.nanoseconds * usable
        let earliest = fullAt.nanoseconds > room ? fullAt.nanoseconds - room : 0
        return .nanoseconds(Int64(clamping: earliest > now.nanoseconds ? earliest - now.nanoseconds : 0))
    }

    /// Takes a token, one of the future if there is none, and says how long it takes until it is there.
    mutating func take(at now: Deadline) -> Duration {
        defer { fullAt = max(fullAt, now).advanced(by: interval) }
        return wait(at: now)
    }
}
