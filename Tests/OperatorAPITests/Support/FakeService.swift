import LinuxSystem
import Supervision

/// A service without mounts: it remembers what it was asked and answers what it was told to.
final class FakeService: MountService {
    private struct State {
        var mounts: [MountStatus] = []
        var requests: [MountRequest] = []
        var callers: [Caller] = []
        var failure: SupervisorError?
        var gate: AsyncStream<Void>?
        var finished = 0
    }

    private let state = Guarded(State())

    var requests: [MountRequest] { state.with { $0.requests } }
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
        let made = Self.status(id, request)
        return state.with { state in
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

    func mounts() async -> [MountStatus] {
        state.with { $0.mounts }
    }

    func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        try find { $0.id == id }
    }

    func mount(job: String) async throws(SupervisorError) -> MountStatus {
        try find { $0.job == job }
    }

    func remove(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        var found = try find { $0.id == id }
        state.with { $0.mounts.removeAll { $0.id == id } }
        found.state = .unmounted
        found.worker = nil
        return found
    }

    func health() async -> ServiceHealth {
        let (count, failure) = state.with { ($0.mounts.count, $0.failure) }
        return ServiceHealth(
            mountCount: count, uptimeSeconds: 5, spareWorkers: 4, cachePID: failure == nil ? 77 : nil,
            problems: failure.map { [$0.message] } ?? [])
    }

    private func find(_ matches: (MountStatus) -> Bool) throws(SupervisorError) -> MountStatus {
        let (mounts, failure) = state.with { ($0.mounts, $0.failure) }
        if let failure { throw failure }
        if let found = mounts.first(where: matches) { return found }
        throw SupervisorError(.notFound, "no such mount")
    }
}
