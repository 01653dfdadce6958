import LinuxSystem
import Supervision

/// A service without mounts: it remembers what it was asked and answers what it was told to.
final class FakeService: MountService {
    private struct State {
        var collections: [UInt64?] = []
        var mounts: [MountStatus] = []
        var requests: [MountRequest] = []
        var callers: [Caller] = []
        var prefetches: [PrefetchRequest] = []
        var exchanges: [SwitchRequest] = []
        var failure: SupervisorError?
        var gate: AsyncStream<Void>?
        var finished = 0
    }

    private let state = Guarded(State())
    let events = EventLog()

    var requests: [MountRequest] { state.with { $0.requests } }
    var prefetches: [PrefetchRequest] { state.with { $0.prefetches } }
    var exchanges: [SwitchRequest] { state.with { $0.exchanges } }
    var callers: [Caller] { state.with { $0.callers } }
    /// Creates that ran to their end.
    var finished: Int { state.with { $0.finished } }

    /// From now on every call fails like this.
    func fail(with error: SupervisorError?) {
        state.with { $0.failure = error }
    }

    /// From now on `create` waits until the continuation is finished.
    func holdCreates() -> AsyncStream<Void>.Continuation {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        state.with { $0.gate = stream }
        return continuation
    }

    func create(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        let (failure, gate) = state.with { state -> (SupervisorError?, AsyncStream<Void>?) in
            state.requests.append(request)
            state.callers.append(caller)
            return (state.failure, state.gate)
        }
        if let failure { throw failure }
        if let gate { for await _ in gate {} }
        // What a real service would see of a cancelled client.
        if Task.isCancelled { throw SupervisorError(.internalError, "cancelled") }
        let id = MountID.random()
        var made = Self.status(id, request)
        made.owner = caller.owner(of: request).uid
        return state.with { [made] state in
            state.finished += 1
            if let job = made.job, let known = state.mounts.first(where: { $0.job == job }) { return known }
            state.mounts.append(made)
            return made
        }
    }

    static func status(_ id: MountID, _ request: MountRequest, _ state: MountState = .ready) -> MountStatus {
        MountStatus(
            id: id, request: request, state: state, mountpoint: "/mnt/\(id)", upper: "/upper/\(id)",
            commit: "0123456789012345678901234567890123456789", origin: request.origin ?? "main",
            createdAt: 1_700_000_000_000, lastSeen: 1_700_000_000_001, readyAfter: 2.5,
            worker: MountStatus.Worker(
                pid: 42, restarts: 1, lastRestartCause: "signal 9", memoryBytes: 81920, waiting: nil, served: 7))
    }

    func prefetchCache(_ request: PrefetchRequest) async throws(SupervisorError) -> PrefetchStatus {
        state.with { $0.prefetches.append(request) }
        return PrefetchStatus(preload: 3, origin: request.origin ?? "main", commit: "0123")
    }

    func begin(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        let (failure, gate) = state.with { ($0.failure, $0.gate) }
        if let failure { throw failure }
        var begun = Self.status(.random(), request, .provisioning)
        begun.owner = caller.owner(of: request).uid
        let id = begun.id
        state.with { [begun] in $0.mounts.append(begun) }
        Task {
            if let gate { for await _ in gate {} }
            state.with { state in
                guard let index = state.mounts.firstIndex(where: { $0.id == id }) else { return }
                state.mounts[index].state = .ready
            }
        }
        return begun
    }

    func status() async -> ServiceStatus {
        var worker = ProcessStatus(kind: .worker, pid: 1)
        worker.serving = state.with { $0.mounts.first }.map { mount in
            ProcessStatus.Serving(
                mount: mount.id, job: mount.job, state: mount.state, lower: .lazy, served: 7, inFlight: 1, waiting: 2,
                waitingFor: 3, oldest: 2.5, holders: ["supervisor", "worker"])
        }
        return ServiceStatus(
            health: await health(), mountsByState: ["Ready": 1], isHardened: true,
            processes: [ProcessStatus(kind: .supervisor, pid: 1), ProcessStatus(kind: .spare, pid: 1), worker])
    }

    func mounts() async -> [MountStatus] {
        state.with { $0.mounts }
    }

    func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        try find { $0.id == id }
    }

    func mount(job: String) async throws(SupervisorError) -> MountStatus {
        try find { $0.job == job }
    }

    func remove(
        _ id: MountID, _ options: UnmountOptions, caller: Caller
    ) async throws(SupervisorError) -> MountStatus {
        var found = try find { $0.id == id }
        state.with { $0.mounts.removeAll { $0.id == id } }
        found.state = .unmounted
        found.worker = nil
        return found
    }

    func exchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus {
        var found = try find { $0.id == id }
        state.with { $0.exchanges.append(request) }
        found.request.changelist = request.changelist
        var report = SwitchReport(changelist: request.changelist?.name, startedAt: 1_700_000_000_002)
        report.state = .done
        found.exchange = report
        return found
    }

    func reset(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        var found = try find { $0.id == id }
        found.worker?.lastRestartCause = "reset"
        return found
    }

    func metrics() async -> String {
        "# HELP antares_up Whether it is.\n# TYPE antares_up gauge\nantares_up 1\n"
    }

    func renew(_ id: MountID, timeToLive: Int?) async throws(SupervisorError) -> MountStatus { try await mount(id) }
    func drain(_ on: Bool) async {}

    /// One of each kind; the last two have names that are no text, and one that would steer a terminal.
    static let changes = [
        UpperChange(path: Array("a".utf8), kind: .added, type: .file),
        UpperChange(path: Array("b".utf8), kind: .deleted, type: .directory),
        UpperChange(path: Array("c".utf8), kind: .modified, type: .executable),
        UpperChange(path: Array("d\n\u{1b}".utf8), kind: .renamed(from: [0x66, 0xFF]), type: .symlink),
        UpperChange(path: [0xFE], kind: .added, type: .other),
    ]

    func changes(_ id: MountID) async throws(SupervisorError) -> [UpperChange] {
        if let failure = state.with({ $0.failure }) { throw failure }
        _ = try await mount(id)
        return Self.changes
    }

    func health() async -> ServiceHealth {
        let (count, failure) = state.with { ($0.mounts.count, $0.failure) }
        return ServiceHealth(
            mountCount: count, uptimeSeconds: 5, spareWorkers: 4, cachePID: failure == nil ? 77 : nil,
            problems: failure.map { [$0.message] } ?? [])
    }

    func cacheStatus() async throws(SupervisorError) -> String {
        "{\"version\":\"x\"}"
    }

    func collectCache(target: UInt64?) async throws(SupervisorError) {
        state.with { $0.collections.append(target) }
    }

    func verifyCache() async throws(SupervisorError) -> UInt64 {
        7
    }

    var collections: [UInt64?] { state.with { $0.collections } }

    private func find(_ matches: (MountStatus) -> Bool) throws(SupervisorError) -> MountStatus {
        let (mounts, failure) = state.with { ($0.mounts, $0.failure) }
        if let failure { throw failure }
        if let found = mounts.first(where: matches) { return found }
        throw SupervisorError(.notFound, "no such mount")
    }
}
