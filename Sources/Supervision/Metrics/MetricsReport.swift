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

    func text() async -> String {
        var text = MetricsText()
        metrics.write(to: &text)
        var figures: [MountFigures] = []
        for mount in await registry.all() { figures.append(await mount.figures()) }
        write(figures, to: &text)
        await writeProcesses(figures, to: &text)
        let cached = await cache.figures()
        text.gauge("antares_cache_up", "1 if the cache owner answered this scrape.", cached == nil ? 0 : 1)
        text.gauge("antares_cache_limit_bytes", "What it may take.", Double(cache.configuration.cacheLimit))
        cached?.write(to: &text)
        text.gauge("antares_event_subscribers", "Clients that follow the events.", Double(events.subscriberCount))
        return text.text
    }

    private func write(_ mounts: [MountFigures], to text: inout MetricsText) {
        var states: [MountStateLabel: Double] = [:]
        for mount in mounts { states[mount.state, default: 0] += 1 }
        text.gauge("antares_mounts", "Mounts by state.", states)
        text.counter(
            metrics.requestsResent.name, metrics.requestsResent.help,
            Double(mounts.reduce(metrics.requestsResent.value(.none)) { $0 + $1.resent }))
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
    }
}

/// What a scrape wants to know of a mount.
struct MountFigures: Sendable {
    let state: MountStateLabel
    let workerPID: Int32?
    let waiting: Int
    let resent: UInt64
    /// Seconds.
    let waitingFor: Double
}

extension MountActor {
    func figures() -> MountFigures {
        MountFigures(
            state: MountStateLabel(machine.state), workerPID: worker?.pid, waiting: custody?.waiting ?? 0,
            resent: custody?.memory.value(.resent) ?? 0,
            waitingFor: environment.heartbeat.waitingSince(id).map { Deadline.now.since($0) / .seconds(1) } ?? 0)
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
