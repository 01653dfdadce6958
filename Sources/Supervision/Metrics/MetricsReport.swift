import Glibc
import LinuxSystem
import WorkerProtocol

/// One scrape: what was counted, and what is looked up now, in memory and in /proc.
struct MetricsReport: Sendable {
    let metrics: Metrics
    let events: EventLog
    let registry: MountRegistry
    let cache: CacheOwner
    let spares: SparePool
    let log: any SupervisorLog

    func text() async -> String {
        var text = MetricsText()
        metrics.write(to: &text)
        let figures = await MountActor.census(await registry.everyView()) { $0.figures() }
        write(figures, to: &text)
        await writeProcesses(figures, to: &text)
        let cached = await cache.figures()
        writeLostLines(cached, to: &text)
        text.gauge("antares_cache_up", "1 if the cache owner answered this scrape.", cached == nil ? 0 : 1)
        text.gauge("antares_cache_limit_bytes", "What it may take.", Double(cache.configuration.cacheLimit))
        cached?.write(to: &text)
        text.gauge("antares_event_subscribers", "Clients that follow the events.", Double(events.subscriberCount))
        return text.text
    }

    private func write(_ mounts: [MountFigures], to text: inout MetricsText) {
        var states: [MountStateLabel: Double] = [:]
        for state in mounts.compactMap(\.state) { states[state, default: 0] += 1 }
        text.gauge("antares_mounts", "Mounts by state.", states)
        text.gauge(
            "antares_fuse_waiting_requests", "Requests of the kernel that wait for an answer, all mounts together.",
            Double(mounts.reduce(0) { $0 + $1.waiting }))
        text.gauge(
            "antares_fuse_waiting_requests_max", "The same of the mount that has the most.",
            Double(mounts.map(\.waiting).max() ?? 0))
        text.gauge(
            "antares_fuse_waiting_seconds_max",
            "How long requests have been waiting without a break, in the mount where it is longest, to the second.",
            mounts.map(\.waitingFor).max() ?? 0)
        text.gauge(
            "antares_fuse_oldest_request_seconds",
            "Age of the request of the kernel that has waited for longest, of all mounts.",
            mounts.map(\.oldest).max() ?? 0)
    }

    private func writeProcesses(_ mounts: [MountFigures], to text: inout MetricsText) async {
        let workers = mounts.compactMap(\.workerPID)
        let spares = await spares.pids
        let owner = await cache.pid.map { [$0] } ?? []
        let groups: [(ProcessKind, [Int32])] = [
            (.supervisor, [getpid()]), (.cache, owner), (.worker, workers), (.spare, spares),
        ]
        text.gauge(
            "antares_processes", "Processes by kind.",
            Dictionary(uniqueKeysWithValues: groups.map { ($0.0, Double($0.1.count)) }))
        text.gauge(
            "antares_process_private_bytes", "Resident memory that is not of files, by kind of process.",
            Dictionary(
                uniqueKeysWithValues: groups.map { kind, pids in
                    (kind, Double(pids.compactMap { ProcessMemory.privateBytes(of: $0) }.reduce(0, +)))
                }))
        let starts = groups.compactMap { kind, pids in
            pids.compactMap { ProcessSample(of: $0)?.startedAt }.min().map { (kind, Double($0) / 1000) }
        }
        text.family(
            "antares_process_start_time_seconds", "When the oldest of each kind was started, after 1970.", .gauge)
        for (kind, start) in starts { text.sample("antares_process_start_time_seconds", kind.pairs, start) }
    }

    private func writeLostLines(_ cached: CacheFigures?, to text: inout MetricsText) {
        let lost: [(ProcessKind, UInt64?)] = [
            (.supervisor, log.droppedLines), (.cache, cached?.droppedLogLines),
            (.worker, metrics.sessions.totals.unloggedLines),
        ]
        text.family(
            "antares_log_lines_dropped_total", "Lines of the log that were left out or that nobody took.", .counter)
        for (kind, lines) in lost {
            if let lines { text.sample("antares_log_lines_dropped_total", kind.pairs, Double(lines)) }
        }
    }
}

/// What a scrape wants to know of a view of a mount.
struct MountFigures: Sendable {
    /// Nil unless it is the mount's current view.
    let state: MountStateLabel?
    let workerPID: Int32?
    let waiting: Int
    /// Seconds.
    let waitingFor: Double
    let oldest: Double
}

extension MountActor {
    func figures() -> MountFigures {
        let waiting = custody?.waiting
        return MountFigures(
            state: standing == .current ? MountStateLabel(machine.state) : nil, workerPID: worker?.pid,
            waiting: waiting ?? 0, waitingFor: waitingTime ?? 0, oldest: oldestRequest(ofWaiting: waiting) ?? 0)
    }
}

/// The states of a mount as a label.
enum MountStateLabel: String, MetricLabel {
    case provisioning, mounted, ready, quiescing, unmounting, unmounted, failed, quarantined

    static var labelName: String { "state" }

    init(_ state: MountState) {
        self =
            switch state {
            case .provisioning: .provisioning
            case .mounted: .mounted
            case .ready: .ready
            case .quiescing: .quiescing
            case .unmounting: .unmounting
            case .unmounted: .unmounted
            case .failed: .failed
            case .quarantined: .quarantined
            }
    }
}

/// The kinds of our processes as a label.
public enum ProcessKind: String, MetricLabel {
    case supervisor, cache, worker, spare

    public static var labelName: String { "process" }
}
