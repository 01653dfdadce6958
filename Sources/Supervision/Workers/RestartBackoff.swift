import LinuxSystem

/// How long to wait before the next start of something that keeps ending: at once the first time, then longer and longer; back to the
/// beginning after a healthy minute.
struct RestartBackoff: Sendable {
    static let delays: [Duration] = [
        .zero, .milliseconds(200), .milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10),
    ]
    static let healthyAfter: Duration = .seconds(60)

    private var attempts = 0
    private var lastEnd: Deadline?

    /// Notes an end at `now` and says how long to wait.
    mutating func next(at now: Deadline) -> Duration {
        if let lastEnd, lastEnd.advanced(by: Self.healthyAfter) <= now { attempts = 0 }
        lastEnd = now
        defer { attempts += 1 }
        return Self.delays[min(attempts, Self.delays.count - 1)]
    }
}

/// Whether something ends so often without having been of any use that it is given up for now: more than `limit` such ends within
/// `window`.
struct CrashLoopDetector: Sendable {
    static let limit = 5
    static let window: Duration = .seconds(60)

    private var ends: [Deadline] = []

    /// Notes an end at `now`; true when that was one too many.
    mutating func noteEnd(at now: Deadline) -> Bool {
        ends.removeAll { $0.advanced(by: Self.window) <= now }
        ends.append(now)
        return ends.count > Self.limit
    }
}
