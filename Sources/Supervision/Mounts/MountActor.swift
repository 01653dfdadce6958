import CacheProtocol
import Foundation
import GitObjects
import Glibc
import LinuxSystem
import WorkerProtocol

/// One mount: owns its resources and carries out what the `MountMachine` decides.
actor MountActor {
    let id: MountID
    let request: MountRequest
    let origin: String
    let mountpoint: Mountpoint
    private let owner: Accounts.User
    private let environment: MountEnvironment
    private var createdAt = WallClock.milliseconds
    private let requestedAt = Deadline.now
    private var lastSeen = WallClock.milliseconds
    private var readyAfter: Double?

    private var machine = MountMachine()
    private var snapshot: PinnedSnapshot?
    private var probeName = ""
    private var lower: LowerMount?
    private var custody: Custody?
    /// The first worker, on its way while the connection is opened.
    private var recruit: Task<Recruit, any Error>?
    private var worker: WorkerProcess?
    /// Requests that were answered in this mount before the present worker came.
    private var servedBefore: UInt64 = 0
    /// The overlay, once it exists.
    private var overlay: MountIdentity?
    private var made = Mountpoint.Made()
    private var lastUnmountRung = MountMachine.Rung.plain

    private var readyWaiters: [CheckedContinuation<SupervisorError?, Never>] = []
    private var goneWaiters: [CheckedContinuation<SupervisorError?, Never>] = []

    init(
        id: MountID, request: MountRequest, origin: String, mountpoint: Mountpoint, owner: Accounts.User,
        environment: MountEnvironment
    ) {
        self.id = id
        self.request = request
        self.origin = origin
        self.mountpoint = mountpoint
        self.owner = owner
        self.environment = environment
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        environment.executor.asUnownedSerialExecutor()
    }

    private nonisolated var stack: MountStack {
        MountStack(uppers: environment.uppers, id: id, mountpoint: mountpoint, owner: owner)
    }

    // MARK: What clients ask

    /// Starts to make the mount, if nobody has, and waits until it is ready.
    func ready() async throws(SupervisorError) {
        lastSeen = WallClock.milliseconds
        switch machine.phase {
        case .ready: return
        case .unmounting, .cleaning(.unmounted), .gone(.unmounted):
            throw SupervisorError(.conflict, "mount \(id) is being unmounted; ask again when it is gone")
        case .gone(.failed(let error)): throw error
        case .created, .pinning, .connecting, .starting, .stacking, .cleaning(.failed): break
        }
        let error = await withCheckedContinuation { continuation in
            readyWaiters.append(continuation)
            handle(.start)
        }
        if let error { throw error }
    }

    /// Ends the mount and waits until nothing is left of it.
    func unmount() async throws(SupervisorError) {
        lastSeen = WallClock.milliseconds
        if case .gone = machine.phase { return }
        let error = await withCheckedContinuation { continuation in
            goneWaiters.append(continuation)
            handle(.unmountRequested)
        }
        if let error { throw error }
    }

    func cacheRestarted() {
        handle(.cacheRestarted)
    }

    /// Goes on with a mount of an earlier supervisor whose worker lives.
    func adopt(_ record: MountRecord, custody: Custody, worker: WorkerProcess) {
        restore(record)
        self.custody = custody
        self.worker = worker
        handle(.adopted(restarts: record.restarts))
        watch(worker)
        writeRecord()
        // The cache owner may be a new one.
        handle(.cacheRestarted)
    }

    /// Takes away what is left of a mount of an earlier supervisor that cannot be gone on with.
    func abandon(_ record: MountRecord, because reason: String) async {
        restore(record)
        let error = SupervisorError(.mountFailed, "lost with an earlier supervisor: \(reason)")
        _ = await withCheckedContinuation { continuation in
            goneWaiters.append(continuation)
            handle(.failed(error))
        }
    }

    private func restore(_ record: MountRecord) {
        createdAt = record.createdAt
        readyAfter = record.readyAfter
        snapshot = record.snapshot
        made = Mountpoint.Made(components: record.madeComponents)
        overlay = record.mountIdentity.map { MountIdentity(id: $0) }
    }

    /// Notes what a later supervisor needs. A mount whose record cannot be written works all the same.
    private func writeRecord() {
        guard let snapshot else { return }
        let record = MountRecord(
            bootID: environment.records.bootID, id: id.rawValue, request: request, origin: origin,
            mountpointRoot: mountpoint.root, mountpointName: mountpoint.name, madeComponents: made.components,
            uid: owner.uid, gid: owner.gid, createdAt: createdAt, readyAfter: readyAfter, commit: snapshot.commit.hex,
            commitTime: snapshot.commitTime, root: Data(snapshot.root.bytes).base64EncodedString(),
            rootKind: snapshot.root.kind.rawValue, assurance: snapshot.assurance.rawValue,
            mountIdentity: overlay?.id, worker: worker.map { MountRecord.Process($0.process.identity) },
            workerSocket: worker?.socketPath, restarts: machine.restarts)
        do throws(SystemError) {
            try environment.records.write(record)
        } catch {
            log(.error, "cannot write the mount's record", [("error", error.description)])
        }
    }

    /// Answers from memory and /proc; never touches the mount and does not wait for its worker.
    func status() -> MountStatus {
        var shown: MountStatus.Worker?
        if let worker, machine.worker == .serving, !worker.hasEnded {
            shown = MountStatus.Worker(
                pid: worker.pid, restarts: machine.restarts, lastRestartCause: machine.lastRestartCause,
                memoryBytes: ProcessMemory.privateBytes(of: worker.pid), waiting: custody?.waiting,
                served: custody?.memory.value(.served) ?? 0)
        }
        return MountStatus(
            id: id, request: request, state: machine.state, mountpoint: mountpoint.path, upper: stack.upper.upperPath,
            commit: snapshot?.commit.hex, origin: origin, createdAt: createdAt, lastSeen: lastSeen,
            readyAfter: readyAfter, worker: shown)
    }

    // MARK: Carrying out

    private func handle(_ event: MountMachine.Event) {
        for action in machine.handle(event, at: .now) { perform(action) }
    }

    private func perform(_ action: MountMachine.Action) {
        switch action {
        case .pin: pin()
        case .connect: connect()
        case .startWorker: startWorker()
        case .scheduleRestart(let delay): after(delay, .restartDue)
        case .buildStack: buildStack()
        case .unmount(let rung): unmount(rung)
        case .abortConnection: abortConnection()
        case .reconnectCache: reconnectCache()
        case .endWorkerAndCleanUp: endWorkerAndCleanUp()
        case .publish(let state): publish(state)
        case .answerReady(let error): answer(&readyWaiters, error)
        case .answerGone(let error): answer(&goneWaiters, error)
        }
    }

    private func pin() {
        Task {
            do throws(SupervisorError) {
                let deadline = Deadline.after(self.environment.configuration.requestTimeout)
                self.snapshot = try await self.environment.cache.pin(
                    origin: self.origin, revision: self.request.revision ?? "", path: self.request.path,
                    deadline: deadline)
                self.after(MountEnvironment.provisioningTimeout, .deadlinePassed)
                self.handle(.pinned)
            } catch {
                self.handle(.failed(error))
            }
        }
    }

    private func connect() {
        guard let snapshot else { return handle(.failed(Self.defect("no snapshot"))) }
        probeName = ".antares-probe-\(MountID.random())"
        let parameters = SessionParameters(
            root: snapshot.root, time: snapshot.commitTime, uid: owner.uid, gid: owner.gid, probeName: probeName,
            requestTimeout: environment.configuration.requestTimeout.nanoseconds,
            minimumRate: environment.configuration.minimumRate)
        // The first worker and the upper are made ready meanwhile.
        recruit = recruitWorker()
        let stack = stack
        Task {
            do throws(SystemError) {
                let lower = try await self.environment.mountThreads.run { () throws(SystemError) in
                    let lower = try LowerMount.connect(parameters)
                    try stack.makeUpper()
                    return lower
                }
                self.lower = lower
                self.custody = lower.custody
                self.handle(.connected)
            } catch {
                self.handle(.failed(SupervisorError(.mountFailed, "cannot begin the mount: \(error)")))
            }
        }
    }

    /// A worker that waits for a connection, and its socket to the cache owner.
    private struct Recruit: Sendable {
        let worker: WorkerProcess
        let cache: MessageSocket
    }

    private func recruitWorker() -> Task<Recruit, any Error> {
        Task {
            let worker = try await self.environment.spares.take()
            do {
                return Recruit(
                    worker: worker, cache: try await self.environment.cache.attach(mount: self.id, origin: self.origin))
            } catch {
                worker.signal(SIGKILL)
                throw error
            }
        }
    }

    private func startWorker() {
        guard let custody else { return handle(.workerFailed("there is no connection")) }
        let recruit = recruit ?? recruitWorker()
        self.recruit = nil
        Task {
            do {
                let recruit = try await recruit.value
                guard self.machine.wantsWorker else {
                    // The mount was given up meanwhile.
                    return recruit.worker.signal(SIGKILL)
                }
                self.worker = recruit.worker
                self.servedBefore = custody.memory.value(.served)
                // Before it gets the connection: from then on it may be the only one who holds it.
                if self.overlay != nil { self.writeRecord() }
                try await recruit.worker.assume(
                    mount: self.id, fuse: custody.raw, session: custody.memory.fd.raw, cache: recruit.cache,
                    deadline: .after(MountEnvironment.takeoverTimeout))
                self.handle(.workerServing)
                self.watch(recruit.worker)
            } catch {
                await self.workerRefused("\(error)")
            }
        }
    }

    private func workerRefused(_ reason: String) async {
        log(.warning, "a worker could not take over", [("reason", reason)])
        // It may hold the connection: it must be gone before the next one has the kernel send its requests again.
        worker?.signal(SIGKILL)
        await endWorker()
        handle(.workerFailed(reason))
    }

    private func watch(_ worker: WorkerProcess) {
        let executor = environment.executor
        worker.onEnd { status in
            executor.run { self.assumeIsolated { $0.workerEnded(worker, status) } }
        }
    }

    private func workerEnded(_ ended: WorkerProcess, _ status: ExitStatus) {
        guard worker === ended else { return }
        worker = nil
        // A worker leaves by itself when its connection has ended, which is how an unmount looks from there.
        if custody?.isConnected == true {
            log(.warning, "worker ended", [("pid", "\(ended.pid)"), ("status", "\(status)")])
        }
        handle(.workerEnded(status, usefully: custody.map { $0.memory.value(.served) > servedBefore } ?? false))
    }

    private func buildStack() {
        guard let lower else { return handle(.failed(Self.defect("no lower"))) }
        let (stack, probeName) = (stack, probeName)
        Task {
            do throws(SystemError) {
                let threads = self.environment.mountThreads
                let prepared = try await threads.run { () throws(SystemError) in
                    try stack.prepare(on: lower, probeName: probeName)
                }
                self.overlay = prepared.identity
                self.made = prepared.made
                // Before the mount can be seen: a supervisor that dies right after attaching leaves a mount that the next one knows.
                self.writeRecord()
                try await threads.run { () throws(SystemError) in try stack.attach(prepared) }
                // The overlay has its own clone of the lower now; ours would keep the connection alive after an unmount.
                self.lower = nil
                self.readyAfter = Double(Deadline.now.nanoseconds - self.requestedAt.nanoseconds) / 1e6
                self.handle(.stacked)
            } catch {
                self.handle(.failed(Self.stackFailure(error, at: self.mountpoint.path)))
            }
        }
    }

    private func unmount(_ rung: MountMachine.Rung) {
        guard let overlay, let custody else { return handle(.unmountFailed(Self.defect("nothing is attached"))) }
        lastUnmountRung = rung
        let stack = stack
        let deadline = Deadline.after(environment.configuration.unmountTimeout - .milliseconds(1000))
        Task {
            do throws(SystemError) {
                let done = try await self.environment.unmountThreads.run { () throws(SystemError) in
                    switch rung {
                    case .plain: return try stack.unmountPlainly(overlay, until: deadline)
                    case .forced:
                        try stack.unmountByForce(overlay, custody)
                        return true
                    }
                }
                self.handle(done ? .unmounted : .stillBusy)
            } catch {
                self.handle(.unmountFailed(SupervisorError(.mountFailed, "cannot unmount: \(error)")))
            }
        }
    }

    private func abortConnection() {
        guard let custody else { return }
        do {
            try custody.abort()
        } catch {
            log(.error, "cannot abort the FUSE connection", [("error", error.description)])
        }
    }

    private func reconnectCache() {
        guard let worker else { return }
        Task {
            do {
                let cache = try await self.environment.cache.attach(mount: self.id, origin: self.origin)
                try await worker.reconnectCache(cache, deadline: .after(MountEnvironment.takeoverTimeout))
            } catch {
                self.log(.warning, "cannot reconnect the worker to the cache", [("error", "\(error)")])
            }
        }
    }

    private func endWorkerAndCleanUp() {
        let (stack, made, overlay, custody) = (stack, made, overlay, custody)
        let unmountedPlainly = overlay != nil && lastUnmountRung == .plain
        lower = nil
        Task {
            let ended = await self.environment.unmountThreads.run {
                custody?.hasEnded(by: .after(unmountedPlainly ? MountEnvironment.superblockTimeout : .zero)) ?? true
            }
            if !ended, unmountedPlainly {
                self.log(
                    .warning, "the mount is in use elsewhere (another mount namespace?); its connection is aborted", [])
                self.abortConnection()
            }
            if let unused = self.recruit { (try? await unused.value)?.worker.signal(SIGKILL) }
            self.recruit = nil
            await self.endWorker()
            do throws(SystemError) {
                try await self.environment.unmountThreads.run { () throws(SystemError) in
                    // After a failure half way the overlay may have been attached.
                    if let overlay, try overlay.isAttached() { try stack.unmountByForce(overlay, custody) }
                    try stack.cleanUp(made)
                }
                self.environment.records.remove(self.id)
            } catch {
                self.log(.error, "cannot clean up after a mount", [("error", error.description)])
            }
            self.custody = nil
            self.handle(.cleaned)
        }
    }

    /// Gives the worker time to leave by itself, then ends it, and returns when it has ended.
    private func endWorker() async {
        guard let worker else { return }
        await environment.unmountThreads.run {
            if worker.process.waitForEnd(until: .after(MountEnvironment.workerExitTimeout)) { return }
            worker.signal(SIGKILL)
            _ = worker.process.waitForEnd(until: .after(MountEnvironment.workerExitTimeout))
        }
        self.worker = nil
    }

    // MARK: Telling

    private func publish(_ state: MountState) {
        lastSeen = WallClock.milliseconds
        var fields = [("state", state.name)]
        if let reason = state.reason { fields.append(("reason", reason)) }
        if state == .ready, let readyAfter { fields.append(("ready_after_ms", "\(readyAfter)")) }
        log(state.reason == nil ? .info : .error, "mount", fields)
    }

    private func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {
        environment.log.log(level, message, [("mount", id.rawValue), ("job", request.jobID ?? "-")] + fields)
    }

    private func answer(_ waiters: inout [CheckedContinuation<SupervisorError?, Never>], _ error: SupervisorError?) {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume(returning: error) }
    }

    private func after(_ delay: Duration, _ event: MountMachine.Event) {
        Task {
            try? await Task.sleep(for: delay)
            self.handle(event)
        }
    }

    private static func defect(_ what: String) -> SupervisorError {
        SupervisorError(.internalError, "a defect of the supervisor: \(what)")
    }

    private static func stackFailure(_ error: SystemError, at path: String) -> SupervisorError {
        switch error.errno {
        case .notEmpty:
            SupervisorError(.conflict, "the mountpoint \(path) is not empty", cause: error.description)
        case .crossDevice, .tooManyLinks, .notADirectory:
            SupervisorError(
                .invalidRequest, "the mountpoint \(path) leads through a link, a file or another mount",
                cause: error.description)
        default:
            SupervisorError(.mountFailed, "cannot make the mount: \(error)", cause: nil)
        }
    }
}
