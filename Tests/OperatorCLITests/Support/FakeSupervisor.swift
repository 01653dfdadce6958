import Glibc
import LinuxSystem
import Logging
import Supervision

@testable import OperatorAPI

/// The real API on a real socket, over a service whose mounts are plain directories.
final class FakeSupervisor: MountService {
    private struct State {
        var mounts: [MountStatus] = []
        var removed: [MountID] = []
        var createFailure: SupervisorError?
        var removeFailure: SupervisorError?
        var cache = FakeCache()
        var changes: [UpperChange] = []
    }

    let directory: String
    private let state = Guarded(State())
    let events = EventLog()

    var socket: String { directory + "/s.sock" }
    var removed: [MountID] { state.with { $0.removed } }
    var current: [MountStatus] { state.with { $0.mounts } }

    private init(directory: String) {
        self.directory = directory
    }

    /// What serves, for its port and to make it read its files again.
    private let running = Guarded<OperatorAPIServer?>(nil)
    var server: OperatorAPIServer? { running.with { $0 } }

    /// Serves while `body` runs.
    static func with<Result: Sendable>(
        limits: ConnectionLimits = ConnectionLimits(),
        configure: @Sendable (inout SupervisorConfiguration) -> Void = { _ in },
        _ body: @Sendable (FakeSupervisor) async throws -> Result
    ) async throws -> Result {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let fake = FakeSupervisor(directory: directory)
        var configuration = SupervisorConfiguration()
        configuration.socket = fake.socket
        configure(&configuration)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = OperatorAPIServer(configuration: configuration, service: fake, logger: logger, limits: limits)
        fake.running.with { $0 = server }
        let (serving, announce) = AsyncStream<Void>.makeStream()
        let run = Task {
            defer { announce.finish() }
            try await server.run { announce.finish() }
        }
        for await _ in serving {}
        do {
            let result = try await body(fake)
            await server.stop()
            try await run.value
            return result
        } catch {
            await server.stop()
            _ = try? await run.value
            throw error
        }
    }

    func fail(create: SupervisorError? = nil, remove: SupervisorError? = nil) {
        state.with {
            $0.createFailure = create
            $0.removeFailure = remove
        }
    }

    func create(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        if let failure = state.with({ $0.createFailure }) { throw failure }
        if let job = request.jobID, let known = current.first(where: { $0.job == job }) { return known }
        let id = MountID.random()
        let mountpoint = request.mountpoint ?? "\(directory)/\(id)"
        do throws(SystemError) {
            try Directory.create(mountpoint)
        } catch {
            throw SupervisorError(.mountFailed, "\(error)")
        }
        let status = MountStatus(
            id: id, request: request, state: .ready, mountpoint: mountpoint, upper: directory,
            commit: "00112233445566778899aabbccddeeff00112233", origin: request.origin ?? "main", createdAt: 1,
            lastSeen: 1, readyAfter: 1,
            worker: MountStatus.Worker(
                pid: 4242, restarts: 3, lastRestartCause: "signal 9", memoryBytes: 81920, waiting: 0, served: 9))
        state.with { $0.mounts.append(status) }
        return status
    }

    func mounts() async -> [MountStatus] {
        current
    }

    func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        guard let found = current.first(where: { $0.id == id }) else { throw missing }
        return found
    }

    func mount(job: String) async throws(SupervisorError) -> MountStatus {
        guard let found = current.first(where: { $0.job == job }) else { throw missing }
        return found
    }

    func remove(
        _ id: MountID, _ options: UnmountOptions, caller: Caller
    ) async throws(SupervisorError) -> MountStatus {
        if let failure = state.with({ $0.removeFailure }) { throw failure }
        var found = try await mount(id)
        found.state = .unmounted
        state.with {
            $0.mounts.removeAll { $0.id == id }
            $0.removed.append(id)
        }
        return found
    }

    /// What every job wrote.
    func show(_ changes: [UpperChange]) {
        state.with { $0.changes = changes }
    }

    func changes(_ id: MountID) async throws(SupervisorError) -> [UpperChange] {
        _ = try await mount(id)
        return state.with { $0.changes }
    }

    func reset(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        var found = try await mount(id)
        found.worker?.lastRestartCause = "reset"
        return found
    }

    func metrics() async -> String {
        "# HELP antares_up Whether it is.\n# TYPE antares_up gauge\nantares_up 1\n"
    }

    func renew(_ id: MountID, timeToLive: Int?) async throws(SupervisorError) -> MountStatus { try await mount(id) }
    func drain(_ on: Bool) async {}

    func change(cache body: @Sendable (inout FakeCache) -> Void) {
        state.with { body(&$0.cache) }
    }

    var cache: FakeCache { state.with { $0.cache } }

    func cacheStatus() async throws(SupervisorError) -> String {
        if let failure = cache.failure { throw failure }
        return state.with { $0.cache.report() }
    }

    func collectCache(target: UInt64?) async throws(SupervisorError) {
        state.with { $0.cache.collections.append(target) }
    }

    func verifyCache() async throws(SupervisorError) -> UInt64 {
        state.with { state in
            state.cache.sweep += 1
            return state.cache.sweep
        }
    }

    func health() async -> ServiceHealth {
        ServiceHealth(mountCount: current.count, uptimeSeconds: 3700, spareWorkers: 4, cachePID: 99, problems: [])
    }

    private var missing: SupervisorError {
        SupervisorError(.notFound, "there is no such mount")
    }
}

func temporaryDirectory() throws -> String {
    let path = "/tmp/antares-cli-\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    try Directory.create(path, mode: 0o700)
    return path
}

func removeDirectory(_ path: String) {
    guard let slash = path.lastIndex(of: "/"), let parent = try? Directory.open(String(path[..<slash])) else { return }
    try? TreeRemoval.remove(at: parent.raw, String(path[path.index(after: slash)...]))
}
