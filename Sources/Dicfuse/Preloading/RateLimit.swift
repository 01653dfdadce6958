import LinuxSystem

/// A bound on bytes a second, held on average by those who receive one after the other: whoever wants to waits until what was received before
/// is paid for.
///
/// A state machine: no clock, no lock, no I/O.
struct RateLimit: Sendable {
    /// Bytes a second; 0 for no bound.
    let rate: UInt64
    private var paidUntil = Deadline(nanoseconds: 0)

    /// What may be received at once after a pause.
    private static let burst = Duration.milliseconds(100)

    init(_ rate: UInt64) {
        self.rate = rate
    }

    /// When the next one may begin.
    func begin(now: Deadline) -> Deadline {
        rate == 0 || paidUntil <= now.advanced(by: Self.burst) ? now : paidUntil
    }

    /// So much was received since `began`.
    mutating func charge(_ bytes: UInt64, since began: Deadline) {
        guard rate > 0 else { return }
        let nanoseconds = Double(bytes) / Double(rate) * 1e9
        paidUntil = max(paidUntil, began).advanced(by: .nanoseconds(Int64(min(nanoseconds, 1e15))))
    }
}

/// How fast something goes on, as a moving average, and when it will have ended.
struct ProgressRate: Sendable {
    private var last: (value: UInt64, moment: Deadline)?
    /// A second.
    private(set) var rate = 0.0

    /// The average forgets a past of so many nanoseconds.
    private static let memory = 5e9
    private static let interval = 100_000_000.0

    mutating func note(_ value: UInt64, now: Deadline) {
        guard let last else {
            self.last = (value, now)
            return
        }
        let elapsed = Double(now.nanoseconds) - Double(last.moment.nanoseconds)
        guard elapsed >= Self.interval, value >= last.value else { return }
        let current = Double(value - last.value) / elapsed * 1e9
        let weight = rate == 0 ? 1 : min(1, elapsed / Self.memory)
        rate += (current - rate) * weight
        self.last = (value, now)
    }

    /// Whole seconds until `total`; nil while nothing moves.
    func secondsLeft(_ done: UInt64, of total: UInt64) -> UInt64? {
        guard done < total else { return 0 }
        guard rate > 0 else { return nil }
        return UInt64(min((Double(total - done) / rate).rounded(.up), 1e12))
    }
}
