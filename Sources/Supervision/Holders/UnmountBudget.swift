/// How the time of an unmount is parted among its steps.
struct UnmountBudget: Hashable, Sendable {
    /// How long a mount may be busy before its holders are looked for: most let go in this time.
    static let patience: Duration = .milliseconds(100)

    /// For the plain unmount, while it is busy.
    let plain: Duration
    /// For the worker to leave by itself after the connection has ended, and again after SIGKILL.
    let workerExit: Duration
    /// Between SIGTERM and SIGKILL of a holder.
    let termination: Duration

    /// - Parameter limit: The time for everything. What comes after the plain stage takes a few milliseconds unless the worker hangs.
    init(limit: Duration) {
        let forced = min(.seconds(1), limit / 2)
        plain = limit - forced
        workerExit = min(.milliseconds(400), forced * 2 / 5)
        termination = min(.seconds(1), plain / 3)
    }
}
