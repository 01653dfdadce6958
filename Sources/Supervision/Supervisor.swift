import Glibc
import LinuxSystem

/// The supervisor: puts the parts together and is what the API talks to.
public final class Supervisor: MountService {
    private let configuration: SupervisorConfiguration
    private let log: any SupervisorLog
    private let registry: MountRegistry
    private let cache: CacheOwner
    private let spares: SparePool
    private let uppers: UpperStore
    private let mountRoot: MountRoot
    private let adoption: Adoption
    private let startedAt = Deadline.now
    /// Held as long as the supervisor lives.
    private let lock: LockFile

    private init(
        configuration: SupervisorConfiguration, log: any SupervisorLog, programs: Preflight.Programs,
        lock: consuming LockFile
    ) throws(SystemError) {
        self.configuration = configuration
        self.log = log
        self.lock = lock
        let monitor = try ExitMonitor()
        let loop = try ChannelLoop()
        let executor = try SupervisionExecutor()
        let workerSockets = configuration.runDirectory + "/workers"
        try Directory.create(workerSockets, mode: 0o700)
        mountRoot = try MountRoot.prepare(configuration.mountRoot)
        uppers = try UpperStore(root: configuration.upperRoot, log: log)
        try Directory.create(configuration.cacheDirectory, mode: 0o700)
        try check(
            chown(configuration.cacheDirectory, programs.cacheUser.uid, programs.cacheUser.gid), "chown",
            configuration.cacheDirectory)
        let launcher = WorkerLauncher(
            program: programs.worker, user: programs.workerUser, socketDirectory: workerSockets, loop: loop,
            monitor: monitor)
        spares = SparePool(
            launcher: launcher, target: configuration.spareWorkers, executor: executor,
            threads: try BlockingThreads(count: 2, name: "spawn"), log: log)
        let records = try RecordStore(runDirectory: configuration.runDirectory)
        let restarted = RestartRelay()
        cache = CacheOwner(
            configuration: configuration, executor: executor, program: programs.cache, user: programs.cacheUser,
            loop: loop,
            monitor: monitor, log: log, onRestart: { restarted.fire() })
        let environment = MountEnvironment(
            configuration: configuration, log: log, executor: executor, cache: cache, spares: spares, uppers: uppers,
            records: records,
            mountThreads: try BlockingThreads(count: 8, name: "mount"),
            unmountThreads: try BlockingThreads(count: 32, name: "unmount"))
        let registry = MountRegistry(configuration: configuration) { id, request, origin, mountpoint, caller in
            MountActor(
                id: id, request: request, origin: origin, mountpoint: mountpoint,
                owner: Accounts.User(uid: request.uid ?? caller.uid, gid: request.gid ?? caller.gid),
                environment: environment)
        }
        self.registry = registry
        adoption = Adoption(
            records: records, launcher: launcher, mountRoot: mountRoot, uppers: uppers, log: log,
            restore: { record, id in
                let mount = MountActor(
                    id: id, request: record.request, origin: record.origin,
                    mountpoint: Mountpoint(root: record.mountpointRoot, name: record.mountpointName),
                    owner: Accounts.User(uid: record.uid, gid: record.gid), environment: environment)
                return await registry.restore(mount) ? mount : nil
            },
            forget: { id in await registry.remove(id) })
        restarted.set {
            Task { for mount in await registry.all() { await mount.cacheRestarted() } }
        }
    }

    /// Checks the machine, takes the locks, starts the cache owner and the spare workers. Everything that is wrong is told in one error.
    public static func start(
        configuration: SupervisorConfiguration, log: any SupervisorLog
    ) async throws(SupervisorError) -> Supervisor {
        let programs = try Preflight.run(configuration)
        Privileges.raiseOpenFileLimit()
        let supervisor: Supervisor
        do throws(SystemError) {
            try Directory.create(configuration.runDirectory, mode: 0o755)
            try Directory.create(configuration.stateDirectory, mode: 0o755)
            let lock = try takeLock(configuration)
            supervisor = try Supervisor(configuration: configuration, log: log, programs: programs, lock: lock)
        } catch {
            throw SupervisorError(.internalError, "cannot start: \(error)")
        }
        do throws(SupervisorError) {
            try await supervisor.begin()
        } catch {
            // What this start made; what an earlier supervisor left stays as it is.
            await supervisor.takeDown()
            throw error
        }
        return supervisor
    }

    private func begin() async throws(SupervisorError) {
        try await cache.start()
        do throws(SystemError) {
            try await adoption.run()
        } catch {
            throw SupervisorError(.internalError, "cannot read what an earlier supervisor left: \(error)")
        }
        await spares.refill()
    }

    /// Ends all mounts and processes and takes away what was made at the start. Bounded by the unmount limit.
    public func stop() async {
        await registry.stop()
        await withTaskGroup { group in
            for mount in await registry.all() {
                group.addTask {
                    do throws(SupervisorError) {
                        try await mount.unmount()
                        await self.registry.remove(mount.id)
                    } catch {
                        self.log.log(
                            .error, "a mount is left behind", [("mount", "\(mount.id)"), ("error", "\(error)")])
                    }
                }
            }
        }
        await takeDown()
    }

    private func takeDown() async {
        await spares.stop()
        await cache.stop()
        await uppers.drain()
        do throws(SystemError) {
            try mountRoot.remove()
            rmdir(configuration.runDirectory + "/workers")
            rmdir(configuration.runDirectory + "/mounts")
        } catch {
            log.log(.warning, "the mount root is left behind", [("error", error.description)])
        }
    }

    // MARK: MountService

    public func create(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        let mount = try await registry.admit(request, caller: caller)
        do throws(SupervisorError) {
            try await mount.ready()
        } catch {
            // A mount that could not be made is not kept: asking again starts anew.
            if case .failed = await mount.status().state { await registry.remove(mount.id) }
            throw error
        }
        return await mount.status()
    }

    public func mounts() async -> [MountStatus] {
        var result: [MountStatus] = []
        for mount in await registry.all() { result.append(await mount.status()) }
        return result
    }

    public func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        await (try registry.mount(id)).status()
    }

    public func mount(job: String) async throws(SupervisorError) -> MountStatus {
        await (try registry.mount(job: job)).status()
    }

    public func remove(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        let mount = try await registry.mount(id)
        try await mount.unmount()
        await registry.remove(id)
        return await mount.status()
    }

    public func health() async -> ServiceHealth {
        let cachePID = await cache.pid
        let uptime = Deadline.now.nanoseconds - startedAt.nanoseconds
        return ServiceHealth(
            mountCount: await registry.count, uptimeSeconds: Int(uptime / 1_000_000_000),
            spareWorkers: await spares.count, cachePID: cachePID,
            problems: cachePID == nil ? ["the cache owner is being restarted"] : [])
    }

    private static func takeLock(_ configuration: SupervisorConfiguration) throws(SystemError) -> LockFile {
        let path = configuration.runDirectory + "/lock"
        do throws(LockFile.Failure) {
            return try LockFile(path, name: "antares-supervisor")
        } catch {
            switch error {
            case .held(let held):
                throw SystemError(.busy, "starting", path, detail: "another supervisor runs: \(held.holder)")
            case .system(let error):
                throw error
            }
        }
    }
}

/// Passes the news of a new cache owner on to a receiver that is made later than the sender.
private final class RestartRelay: Sendable {
    private let receiver = Guarded<(@Sendable () -> Void)?>(nil)

    func set(_ body: @escaping @Sendable () -> Void) {
        receiver.with { $0 = body }
    }

    func fire() {
        receiver.with { $0 }?()
    }
}
