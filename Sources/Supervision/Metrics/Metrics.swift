import LinuxSystem

/// Why a worker of a mount had to be replaced.
public enum RestartReason: String, MetricLabel {
    /// SIGKILL: somebody's hand, or the kernel's for want of memory.
    case killed
    /// A signal of its own making: a fault or an abort.
    case crashed
    case exited
    /// It could not be started, or could not take over.
    case refused
    case hung
    /// A newer program took its place.
    case upgrade
    /// An operator asked for another one.
    case reset
    /// An adopted process: how it ended cannot be seen.
    case unknown

    public static var labelName: String { "reason" }

    init(_ cause: ReplacementCause) {
        switch cause {
        case .hung: self = .hung
        case .upgrade: self = .upgrade
        case .reset: self = .reset
        }
    }

    init(_ status: ExitStatus) {
        switch status {
        case .signal(9): self = .killed
        case .signal: self = .crashed
        case .code: self = .exited
        case .unknown: self = .unknown
        }
    }
}

/// How a call that makes a mount ended, and what the mount stands on.
public enum MountOutcomeLabel: String, MetricLabel {
    case lazy, sealed, failed

    public static var labelName: String { "outcome" }

    public var pairs: [(String, String)] {
        self == .failed ? [("outcome", "failed"), ("lower", "none")] : [("outcome", "ready"), ("lower", rawValue)]
    }
}

/// The rung of the unmount ladder that took the mount away.
public enum UnmountRungLabel: String, MetricLabel {
    case plain
    /// The same, after those who used it were ended.
    case killed
    case forced

    public static var labelName: String { "rung" }

    init(_ report: UnmountReport) {
        switch report.rung {
        case .plain: self = report.killed.isEmpty ? .plain : .killed
        case .forced: self = .forced
        }
    }
}

/// What took longer than `slow_operation`.
public enum SlowOperation: String, MetricLabel {
    case mount, unmount
    /// One of the kernel's, to a worker.
    case request

    public static var labelName: String { "operation" }
}

extension SupervisionEvent.Kind: MetricLabel {
    public static var labelName: String { "kind" }
}

/// What the supervisor counts. Label values are fixed, all updates are a few instructions under a lock of their own.
///
/// To add one: a property here and a line in `write(to:)`.
public final class Metrics: Sendable {
    /// From 0.5 ms to 10 s: takeovers and mounts.
    static let bounds: [Double] = [
        0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10,
    ]

    let events = CounterFamily<SupervisionEvent.Kind>("antares_events_total", "Events by kind.")
    let workerRestarts = CounterFamily<RestartReason>(
        "antares_worker_restarts_total", "Workers of mounts that had to be replaced, by reason.")
    let takeoverGap = HistogramFamily<RestartReason>(
        "antares_takeover_gap_seconds", "From the end of a worker as it was seen to the next one serving.",
        bounds: Metrics.bounds)
    let mountLatency = HistogramFamily<MountOutcomeLabel>(
        "antares_mount_duration_seconds",
        "From the request for a mount to Ready or the failure, by what the mount stands on.",
        bounds: Metrics.bounds)
    let unmountLatency = HistogramFamily<UnmountRungLabel>(
        "antares_unmount_duration_seconds", "From the request to nothing left, by the rung that did it.",
        bounds: Metrics.bounds)
    let cacheRestarts = CounterFamily<RestartReason>(
        "antares_cache_restarts_total", "Ends of the cache owner, by reason.")
    let mountsAdopted = CounterFamily<AdoptionOutcome>(
        "antares_mounts_adopted_total", "Mounts of an earlier supervisor, by what became of them.")

    /// What workers count.
    let sessions = SessionLedger()
    let slowOperations = CounterFamily<SlowOperation>(
        "antares_slow_operations_total", "What took longer than slow_operation.")

    init() {}

    func write(to text: inout MetricsText) {
        events.write(to: &text)
        workerRestarts.write(to: &text)
        takeoverGap.write(to: &text)
        mountLatency.write(to: &text)
        unmountLatency.write(to: &text)
        cacheRestarts.write(to: &text)
        mountsAdopted.write(to: &text)
        slowOperations.write(to: &text)
        text.sessions(sessions.totals)
    }
}

/// What became of a mount of an earlier supervisor.
public enum AdoptionOutcome: String, MetricLabel {
    case adopted, lost

    public static var labelName: String { "outcome" }
}
