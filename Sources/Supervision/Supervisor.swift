import Glibc
import LinuxSystem

/// The supervisor: puts the parts together and is what the API talks to.
public final class Supervisor: MountService {
    private let live: LiveConfiguration
    private let log: any SupervisorLog
    public let events: EventLog
    private let counters: Metrics
    let registry: MountRegistry
    private let cache: CacheOwner
    private let heartbeat: Heartbeat
    private let spares: SparePool
    private let connections: SpareConnections
    private let uppers: UpperStore
    private let mountRoot: MountRoot
    private let adoption: Adoption
    private let upgrade: RollingUpgrade
    private let sweeper: Sweeper
    private let startedAt = Deadline.now
    private let lines: ChildLines
    /// Held as long as the supervisor lives.
    private let lock: LockFile

    private init(
        configuration: SupervisorConfiguration, log: any SupervisorLog, programs: Preflight.Programs,
        lock: consuming LockFile
    ) throws(SystemError) {
        live = LiveConfiguration(configuration)
        self.log = log
        self.lock = lock
        counters = Metrics()
        events = EventLog(counting: counters.events)
        let monitor = try ExitMonitor()
        let loop = try ChannelLoop()
        let executor = try SupervisionExecutor()
        let workerSockets = configuration.runDirectory + "/workers"
        try Directory.create(workerSockets, mode: 0o700)
        lines = try ChildLines(runDirectory: configuration.runDirectory, log: log)
        mountRoot = try MountRoot.prepare(configuration.mountRoot)
        uppers = try UpperStore(root: configuration.upperRoot, storage: configuration.upperStorage, log: log)
        try Directory.create(configuration.cacheDirectory, mode: 0o700)
        try check(
            chown(configuration.cacheDirectory, programs.cacheUser.uid, programs.cacheUser.gid), "chown",
            configuration.cacheDirectory)
        let configuration = Self.sealing(configuration, log)
        let launcher = WorkerLauncher(
            program: programs.worker, arguments: WorkerLauncher.testFaults(log),
            environment: configuration.childEnvironment, user: programs.workerUser,
            socketDirectory: workerSockets, loop: loop, monitor: monitor, lines: lines)
        let records = try RecordStore(runDirectory: configuration.runDirectory)
        let store = DescriptorStore()
        let restarted = RestartRelay()
        cache = CacheOwner(
            configuration: configuration, executor: executor, program: programs.cache, user: programs.cacheUser,
            loop: loop, monitor: monitor, lines: lines, log: log, events: events, metrics: counters,
            onRestart: { restarted.fire() })
        let directories = MadeDirectories()
        let relay = RegistryRelay()
        // More than processors: who makes a mount waits for its first worker.
        let mountThreads = try BlockingThreads(
            count: 32, name: "mount", nice: SupervisionExecutor.nice, isPrompt: true, callers: .actorsWithThreads)
        connections = SpareConnections(target: configuration.spareWorkers, threads: mountThreads)
        spares = SparePool(
            launcher: launcher, target: configuration.spareWorkers, executor: executor,
            threads: try BlockingThreads(count: 2, name: "spawn", callers: .actorsWithThreads),
            connections: connections,
            log: log, events: events
        )
        heartbeat = try Heartbeat()
        let environment = MountEnvironment(
            live: live, log: log, events: events, metrics: counters, executor: executor, cache: cache,
            sealed: configuration.seal ? SealedLowers(cache: cache, threads: mountThreads, log: log) : nil,
            spares: spares, connections: connections,
            spawnGate: SpawnGate(executor: executor), heartbeat: heartbeat, examiner: try Examiner(),
            tombstones: try Tombstones(),
            uppers: uppers, directories: directories, records: records, store: store,
            holders: try HolderFinder(program: programs.worker, monitor: monitor, log: log),
            workerProgram: programs.worker, monitor: monitor,
            ended: { id in await relay.registry?.endAndForget(id) },
            viewEnded: { id in await relay.registry?.remove(view: id) }, mountThreads: mountThreads,
            unmountThreads: try BlockingThreads(count: 32, name: "unmount", callers: .actorsWithThreads),
            changeThreads: try BlockingThreads(count: 2, name: "changes"))
        let registry = MountRegistry(configuration: configuration) { id, request, origin, mountpoint, caller in
            let owner = caller.owner(of: request)
            return MountActor(
                id: id, request: request, origin: origin, mountpoint: mountpoint,
                owner: Accounts.User(uid: owner.uid, gid: owner.gid), environment: environment)
        }
        self.registry = registry
        relay.registry = registry
        adoption = Adoption(
            records: records, launcher: launcher, descriptors: HeldDescriptors(cache: cache, store: store), log: log,
            restore: { record, id in
                let mount = MountActor(
                    id: id, mountID: record.mount, request: record.request, origin: record.origin,
                    mountpoint: Mountpoint(root: record.mountpointRoot, name: record.mountpointName),
                    owner: Accounts.User(uid: record.uid, gid: record.gid), environment: environment)
                return mount
            },
            register: { mount in await registry.restore(mount) },
            registerView: { mount in (try? await registry.add(view: mount)) != nil },
            forget: { id in await registry.remove(id) },
            retire: { id in
                // The oldest of many goes with its record.
                if let oldest = await registry.retire(id) { records.remove(oldest.id) }
            })
        upgrade = RollingUpgrade(
            workerProgram: programs.worker, cache: cache, mounts: { await registry.everyView() }, log: log)
        sweeper = try Sweeper(
            scan: StaleScan(
                workerSockets: workerSockets, mountRoot: mountRoot, mountpointRoots: configuration.mountpointRoots,
                uppers: uppers, records: records, directories: directories),
            log: log, events: environment.events,
            living: { [spares] in
                var living = Sweeper.Living(workers: Set(await spares.pids))
                for mount in await registry.everyView() {
                    living.mounts.formUnion([mount.id, mount.mountID])
                    if let worker = await mount.worker { living.workers.insert(worker.pid) }
                }
                return living
            })
        restarted.set {
            Task { for mount in await registry.everyView() { await mount.cacheRestarted() } }
        }
    }

    /// Without the sealing of snapshots where they cannot be mounted: no image is made that nobody can use.
    private static func sealing(
        _ configuration: SupervisorConfiguration, _ log: any SupervisorLog
    ) -> SupervisorConfiguration {
        guard configuration.seal else { return configuration }
        do throws(SystemError) {
            try SealedSupport.probe(directory: configuration.cacheDirectory)
            return configuration
        } catch {
            log.log(
                .warning, "sealed snapshots cannot be mounted here; all mounts are lazy",
                [("reason", error.description)])
            var configuration = configuration
            configuration.seal = false
            return configuration
        }
    }

    private var configuration: SupervisorConfiguration { live.current }

    /// Checks the machine, takes the locks, starts the cache owner and the spare workers. Everything that is wrong is told in one error.
    public static func start(
        configuration: SupervisorConfiguration, log: any SupervisorLog
    ) async throws(SupervisorError) -> Supervisor {
        let programs = try Preflight.run(configuration, log: log)
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
        await sweeper.begin()
        await spares.refill()
        connections.refill()
        Task { [cache, heartbeat] in await cache.watchHeartbeat(heartbeat) }
        Task { [upgrade] in await upgrade.run() }
        events.record(.supervisorStarted, duration: Deadline.now.since(startedAt), details: [("pid", "\(getpid())")])
    }

    /// Goes on with what a reload changed, the values of the keys `changed`. What needs a restart must be as it was.
    public func reload(_ configuration: SupervisorConfiguration, changed: [String]) async {
        live.current = configuration
        await registry.reconfigure(configuration)
        await spares.retarget(configuration.spareWorkers)
        connections.retarget(configuration.spareWorkers)
        await cache.tellSlow(from: configuration.slowOperation)
        events.record(.supervisorReloaded, details: [("changed", changed.joined(separator: " "))])
    }

    /// Has `tell` called at least once in each interval while the actors, and what `further` goes through, do their work. The interval is kept
    /// to the second while there are mounts: the thread is the one that looks at them.
    public func watchLife(
        every interval: Duration, through further: @escaping @Sendable () async -> Void,
        tell: @escaping @Sendable () -> Void
    ) {
        let watchdog = ServiceWatchdog(
            prove: { [registry, spares, cache] in
                // The registry is on Swift's pool, the other two on the supervision thread.
                _ = await registry.count
                _ = await spares.count
                _ = await cache.pid
                await further()
            }, tell: tell)
        heartbeat.watchLife(every: interval) { watchdog.beat() }
    }

    /// The state in a line, for the service manager.
    public func summary() async -> String {
        let states = await mounts().map(\.state)
        let bad = states.count { $0.reason != nil }
        let owner = await cache.pid.map { "cache owner \($0)" } ?? "no cache owner"
        let trouble = bad == 0 ? "" : ", \(bad) failed or quarantined"
        return "\(states.count) mounts\(trouble), \(await spares.count) spares, \(owner)"
    }

    /// Ends all mounts and processes and takes away what was made at the start. Bounded by the unmount limit.
    public func stop() async {
        events.record(.supervisorStopping)
        if configuration.onStop == .keep { return await leave() }
        await registry.stop()
        await settleExchanges()
        await withTaskGroup { group in
            for mount in await registry.everyView() {
                group.addTask {
                    do throws(SupervisorError) {
                        try await mount.unmount(because: "the supervisor ends (on_stop = unmount)")
                        if await mount.standing == .current { await self.registry.remove(mount.mountID) }
                    } catch {
                        self.log.log(
                            .error, "a mount is left behind", [("mount", "\(mount.id)"), ("error", "\(error)")])
                    }
                }
            }
        }
        await takeDown()
        events.finish()
    }

    /// Leaves ready mounts, their workers and the cache owner to the next supervisor. What is being made is taken back, what is being
    /// unmounted is finished.
    private func leave() async {
        await sweeper.stop()
        await registry.stop()
        await settleExchanges()
        await withTaskGroup { group in
            for mount in await registry.everyView() {
                group.addTask {
                    if await !mount.canBeLeft {
                        try? await mount.unmount(because: "the supervisor ends before it was made")
                    }
                }
            }
        }
        connections.stop()
        await spares.stop()
        await cache.leave()
        events.finish()
    }

    private func takeDown() async {
        await sweeper.stop()
        connections.stop()
        await spares.stop()
        await cache.stop()
        await removeWorkerSockets()
        await uppers.drain(until: .after(.seconds(4)))
        do throws(SystemError) {
            try mountRoot.remove()
            lines.remove()
            rmdir(configuration.runDirectory + "/workers")
            rmdir(configuration.runDirectory + "/mounts")
        } catch {
            log.log(.warning, "the mount root is left behind", [("error", error.description)])
        }
    }

    /// Takes away the sockets of workers that took longer to end than their mounts waited for: one may have the last descriptor of a large object
    /// that was evicted, which the kernel deletes while the process ends. Killed, it never serves again. A worker of a mount that is left
    /// behind keeps its socket.
    private func removeWorkerSockets() async {
        var kept: Set<Int32> = []
        for mount in await registry.everyView() { if let worker = await mount.worker { kept.insert(worker.pid) } }
        guard let thread = try? BlockingThreads(count: 1, name: "worker-end") else { return }
        await thread.run { [kept, directory = configuration.runDirectory + "/workers"] in
            for socket in (try? ProcessRecord.sockets(in: directory)) ?? [] {
                let process = ProcessRecord.livingProcess(socket: socket)
                if let process, kept.contains(process.pid) { continue }
                process?.signal(SIGKILL)
                ProcessRecord.remove(socket: socket)
            }
        }
    }

    // MARK: MountService

    public func create(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        let client = try Self.client(of: request, caller)
        let mount = try await registry.admit(request, caller: caller)
        if let client { await mount.bind(to: client) }
        do throws(SupervisorError) {
            return try await mount.ready()
        } catch {
            // A mount that could not be made is not kept: asking again starts anew.
            if case .failed = await mount.status().state { await registry.remove(mount.id) }
            throw error
        }
    }

    public func begin(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        let client = try Self.client(of: request, caller)
        let mount = try await registry.admit(request, caller: caller)
        if let client { await mount.bind(to: client) }
        Task {
            do throws(SupervisorError) {
                try await mount.ready()
            } catch {
                // Nobody waits for the error, so it is kept where it will be looked for.
                if case .failed = await mount.status().state { _ = await registry.retire(mount.id) }
            }
        }
        return await mount.status()
    }

    public func status() async -> ServiceStatus {
        let health = await health()
        var states: [String: Int] = [:]
        var processes = health.processes.map {
            ProcessStatus(
                kind: $0.kind, pid: $0.pid, restarts: $0.restarts, lastRestartCause: $0.lastRestartCause)
        }
        let deposits = Set(await cache.deposits.keys)
        let views = await MountActor.census(await registry.everyView()) { mount in
            (mount.standing == .current ? mount.machine.state.name : nil, mount.processStatus(deposits: deposits))
        }
        for (state, process) in views {
            if let state { states[state, default: 0] += 1 }
            if let process { processes.append(process) }
        }
        return ServiceStatus(
            health: health, mountsByState: states, isHardened: configuration.hardening, processes: processes)
    }

    public func mounts() async -> [MountStatus] {
        await MountActor.census(await registry.all()) { $0.status() }
    }

    public func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        await (try registry.mount(id)).status()
    }

    public func mount(job: String) async throws(SupervisorError) -> MountStatus {
        await (try registry.mount(job: job)).status()
    }

    public func reset(_ id: MountID) async throws(SupervisorError) -> MountStatus {
        let mount = try await registry.mount(id)
        try await mount.reset()
        return await mount.status()
    }

    public func changes(_ id: MountID) async throws(SupervisorError) -> [UpperChange] {
        try await (try registry.mount(id)).changes(deadline: .after(MountEnvironment.changesTimeout))
    }

    public func renew(_ id: MountID, timeToLive: Int?) async throws(SupervisorError) -> MountStatus {
        let mount = try await registry.mount(id)
        try await mount.renew(timeToLive: timeToLive)
        return await mount.status()
    }

    public func drain(_ on: Bool) async {
        guard await registry.drain(on) else { return }
        log.log(.notice, on ? "draining: no mount is made any more" : "mounts are made again", [])
        events.record(on ? .supervisorDraining : .supervisorResumed)
    }

    /// The process at the other end of the socket, for a mount that ends with it. It lives: it waits for the answer.
    private static func client(of request: MountRequest, _ caller: Caller) throws(SupervisorError) -> ChildProcess? {
        guard request.lease?.isBoundToClient == true else { return nil }
        do throws(SystemError) {
            return try ChildProcess(adopting: caller.pid)
        } catch {
            throw SupervisorError(
                .invalidRequest,
                "the mount cannot be bound to its client: its process is not known (over TCP, or from another pid namespace)",
                cause: error.description)
        }
    }

    public func health() async -> ServiceHealth {
        let cachePID = await cache.pid
        let uptime = Deadline.now.nanoseconds - startedAt.nanoseconds
        var health = ServiceHealth(
            mountCount: await registry.count, uptimeSeconds: Int(uptime / 1_000_000_000),
            spareWorkers: await spares.count, cachePID: cachePID,
            problems: cachePID == nil ? ["the cache owner is being restarted"] : [])
        health.processes = [
            ServiceProcess(kind: .supervisor, pid: getpid(), memoryBytes: ProcessMemory.privateBytes(of: getpid()))
        ]
        if let cachePID {
            health.processes.append(
                ServiceProcess(
                    kind: .cache, pid: cachePID, memoryBytes: ProcessMemory.privateBytes(of: cachePID),
                    restarts: await cache.restarts, lastRestartCause: await cache.lastRestartCause))
        }
        health.processes += await spares.pids.map {
            ServiceProcess(kind: .spare, pid: $0, memoryBytes: ProcessMemory.privateBytes(of: $0))
        }
        return health
    }

    public func metrics() async -> String {
        await MetricsReport(
            metrics: counters, events: events, registry: registry, cache: cache, spares: spares, log: log
        ).text()
    }

    public func cacheStatus() async throws(SupervisorError) -> String {
        try await cache.status()
    }

    public func collectCache(target: UInt64?) async throws(SupervisorError) {
        try await cache.collect(target: target)
    }

    public func verifyCache() async throws(SupervisorError) -> UInt64 {
        try await cache.verify()
    }

    public func prefetchCache(_ request: PrefetchRequest) async throws(SupervisorError) -> PrefetchStatus {
        try await cache.prefetch(request, deadline: .after(configuration.requestTimeout * 3))
    }

    private static func takeLock(_ configuration: SupervisorConfiguration) throws(SystemError) -> LockFile {
        let path = configuration.runDirectory + "/lock"
        let limit = Deadline.after(leaveTimeout)
        while true {
            do throws(LockFile.Failure) {
                return try LockFile(path, name: "antares-supervisor")
            } catch {
                switch error {
                case .held(let held):
                    if !limit.hasPassed {
                        usleep(10_000)
                        continue
                    }
                    throw SystemError(.busy, "starting", path, detail: "another supervisor runs: \(held.holder)")
                case .system(let error):
                    throw error
                }
            }
        }
    }

    /// A child that a killed supervisor was just starting holds all its descriptors, the lock among them, until it reaches execve(2).
    public static let leaveTimeout: Duration = .seconds(1)
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

/// The registry for the actors of mounts, which are made by it.
private final class RegistryRelay: Sendable {
    private let state = Guarded<MountRegistry?>(nil)

    var registry: MountRegistry? {
        get { state.with { $0 } }
        set { state.with { $0 = newValue } }
    }
}
