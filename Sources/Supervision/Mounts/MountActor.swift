import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Probes
import WorkerProtocol

/// One view of a mount: owns its resources and carries out what the `MountMachine` decides.
///
/// A mount has one view, and another one for a while when its changelist is exchanged: that is built beside the first, takes its place, and
/// the first stays for those who still have it open.
actor MountActor {
    /// Of this view: its upper, its record and its connection go by it. The first view has the mount's.
    let id: MountID
    /// What clients know the mount by.
    let mountID: MountID
    let request: MountRequest
    let origin: String
    let mountpoint: Mountpoint
    let owner: Accounts.User
    let environment: MountEnvironment
    var createdAt = WallClock.milliseconds
    let requestedAt = Deadline.now
    var lastSeen = WallClock.milliseconds
    var readyAfter: Double?

    var machine = MountMachine()
    var standing = Standing.current
    /// The view that is being built to take this one's place.
    var successor: Succession?
    /// What its holders are found by when it has no place any more.
    var target: HolderScan.Target?
    /// The rest of an exchange that made this view the current one.
    var exchangeTask: Task<Void, Never>?
    /// It may be that nothing can be written to this view.
    var mayBeFrozen = false
    /// This view while nothing can be written to it.
    var frozen: FrozenView?
    /// The last exchange of the changelist, or the one under way.
    var exchange: SwitchReport?
    var exchangeBegan: Deadline?
    /// Changes of the job that this view took over from the one before, and paths at which they met another difference.
    var carried = 0
    var conflicts: [String] = []
    /// Where the revision is not what is to be pinned: the commit of the view before.
    var pinnedCommit: String?
    /// Nothing is left that a record could name.
    var isRecordGone = false
    /// The view whose place this one took.
    var replaced: MountID?
    /// When a retired view ends, used or not.
    var retiredUntil: Deadline?
    var snapshot: PinnedSnapshot?
    var probeName = ""
    var lower: LowerMount?
    /// While a sealed mount is being made.
    var sealed: SealedLower?
    var isSealed = false
    /// The limited upper's own, until the overlay has gone.
    var upperFilesystem: UpperFilesystem?
    var custody: Custody? {
        didSet { environment.metrics.sessions.exchange(oldValue?.memory, for: custody?.memory) }
    }
    /// The first worker, on its way while the connection is opened.
    var recruit: Task<Recruit, any Error>?
    var worker: WorkerProcess?
    /// Requests that were answered in this mount before the present worker came.
    var servedBefore: UInt64 = 0
    /// When the present worker began to serve.
    var servingSince: Deadline?
    var judge = HangJudge()
    var isExamining = false
    /// Requests that took long and were told; nil before there is a worker.
    var slowRequests: UInt64?
    /// Why the worker is slow, while it is.
    var slowness: String?
    /// Why the worker that was to take over was killed.
    var hungAtTakeover: HangEvidence?
    /// When the worker that is being killed was found hanging.
    var hungSince: Deadline?
    var incidents: [MountStatus.Incident] = []
    /// The overlay, once it exists.
    var overlay: MountIdentity?
    var made = Mountpoint.Made()
    /// When the present state began.
    var stateSince = Deadline.now
    var unmountingSince: Deadline?
    /// Made by an earlier supervisor.
    var isAdopted = false
    /// The end of a worker that is not replaced yet.
    var interruption: Interruption?
    /// What is recorded is that it is ready, though it is just being attached.
    var isAttaching = false
    /// Why the state that is published next comes, if it is not the usual way.
    var unusualCause: String?
    /// Who or what had the mount end; nil before that.
    var endCause: String?
    /// Nil before the end is asked for.
    var progress: UnmountProgress?

    /// From `Ready` on, if the client asked for one.
    var lease: LeaseMachine?
    var leaseAlarm: Task<Void, Never>?
    /// The process that the mount is bound to.
    var client: ChildProcess?

    var readyWaiters: [CheckedContinuation<Result<MountStatus, SupervisorError>, Never>] = []
    var goneWaiters: [CheckedContinuation<SupervisorError?, Never>] = []
    /// Those who wait for what the job wrote.
    var changesAsked = 0
    var resetWaiters: [CheckedContinuation<SupervisorError?, Never>] = []

    init(
        id: MountID, mountID: MountID? = nil, request: MountRequest, origin: String, mountpoint: Mountpoint,
        owner: Accounts.User, environment: MountEnvironment
    ) {
        self.id = id
        self.mountID = mountID ?? id
        self.request = request
        self.origin = origin
        self.mountpoint = mountpoint
        self.owner = owner
        self.environment = environment
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        environment.executor.asUnownedSerialExecutor()
    }

    /// What is on the disk of the upper.
    private var upperPath: String {
        switch environment.configuration.upperStorage.kind {
        case .directory: stack.upper.upperPath
        case .image: stack.upper.imagePath
        case .tmpfs: stack.upper.path
        }
    }

    nonisolated var upperPolicy: UpperPolicy {
        request.upperPolicy ?? environment.configuration.upperPolicy
    }

    nonisolated var stack: MountStack {
        MountStack(
            uppers: environment.uppers, directories: environment.directories, id: id, mountpoint: mountpoint,
            owner: owner)
    }

    // MARK: What clients ask

    /// Starts to make the mount, if nobody has, and waits until it is ready. The status is that of the moment in which it was.
    @discardableResult
    nonisolated func ready() async throws(SupervisorError) -> MountStatus {
        // Outside of the actor, so that the answer goes to the caller's thread and not first to the actor's, which has other work then.
        let outcome = await withCheckedContinuation { continuation in
            environment.executor.run { self.assumeIsolated { $0.tellWhenReady(continuation) } }
        }
        return try outcome.get()
    }

    private func tellWhenReady(_ waiter: CheckedContinuation<Result<MountStatus, SupervisorError>, Never>) {
        lastSeen = WallClock.milliseconds
        switch machine.phase {
        case .ready, .yielding, .retired: waiter.resume(returning: .success(status()))
        case .unmounting, .cleaning(.unmounted), .gone(.unmounted):
            waiter.resume(
                returning: .failure(
                    SupervisorError(.conflict, "mount \(mountID) is being unmounted; ask again when it is gone")))
        case .gone(.failed(let error)): waiter.resume(returning: .failure(error))
        case .created, .pinning, .connecting, .starting, .stacking, .cleaning(.failed):
            readyWaiters.append(waiter)
            handle(.start)
        }
    }

    private func answerReady(_ error: SupervisorError?) {
        let waiting = readyWaiters
        readyWaiters = []
        guard !waiting.isEmpty else { return }
        let outcome =
            error.map { Result<MountStatus, SupervisorError>.failure($0) } ?? .success(status(measuring: false))
        for waiter in waiting { waiter.resume(returning: outcome) }
    }

    /// Ends the mount and waits until nothing is left of it. `caller` is the user that asks, `cause` what those who follow the events are told.
    func unmount(
        _ options: UnmountOptions = UnmountOptions(), caller: UInt32 = 0, because cause: String
    ) async throws(SupervisorError) {
        lastSeen = WallClock.milliseconds
        if case .gone = machine.phase { return environment.records.remove(id) }
        successor?.cancel()
        await settleExchange()
        if machine.phase == .ready || machine.phase == .yielding {
            progress = beginProgress(caller: caller)
            endCause = cause
        }
        let error = await withCheckedContinuation { continuation in
            goneWaiters.append(continuation)
            handle(.unmountRequested(options))
        }
        if let error { throw error }
    }

    /// Brings a new worker to the mount and forgets what was held against the earlier ones; returns when it serves.
    func reset() async throws(SupervisorError) {
        lastSeen = WallClock.milliseconds
        let error = await withCheckedContinuation { continuation in
            resetWaiters.append(continuation)
            handle(.resetRequested)
        }
        if let error { throw error }
    }

    /// Puts another worker in the place of the one that serves, without anybody noticing; for an upgrade.
    func replaceWorker(_ cause: ReplacementCause) {
        handle(.replaceWorker(cause))
    }

    func cacheRestarted() {
        handle(.cacheRestarted)
    }

    /// Answers from memory and, if it is to measure, /proc and fusectl; never touches the mount and does not wait for its worker.
    func status(measuring: Bool = true) -> MountStatus {
        var shown: MountStatus.Worker?
        if let worker, machine.worker == .serving, !worker.hasEnded {
            shown = MountStatus.Worker(
                pid: worker.pid, restarts: machine.restarts, lastRestartCause: machine.lastRestartCause,
                memoryBytes: measuring ? ProcessMemory.privateBytes(of: worker.pid) : nil,
                waiting: measuring ? custody?.waiting : nil,
                served: custody?.memory.value(.served) ?? 0)
        }
        var status = MountStatus(
            id: mountID, request: request, state: machine.state, mountpoint: mountpoint.path, upper: upperPath,
            commit: snapshot?.commit.hex, origin: origin, createdAt: createdAt, lastSeen: lastSeen,
            readyAfter: readyAfter, worker: shown, incidents: incidents, unmount: progress?.report,
            leaseLeft: leaseLeft, owner: owner.uid)
        status.exchange = exchange
        if case .building = standing { status.state = .quiescing }
        status.lower = isSealed ? .sealed : .lazy
        status.changelist = snapshot?.change.map(AppliedChangelist.init)
        return status
    }

    // MARK: Carrying out

    func handle(_ event: MountMachine.Event) {
        for action in machine.handle(event, at: .now) { perform(action) }
    }

    func perform(_ action: MountMachine.Action) {
        switch action {
        case .pin: pin()
        case .connect: connect()
        case .startWorker: startWorker()
        case .scheduleRestart(let delay): after(delay, .restartDue)
        case .killWorker: killWorker()
        case .refuse(let requests): noteRefusal(of: requests)
        case .entomb: entomb()
        case .exhume: exhume()
        case .buildStack: buildStack()
        case .unmount(let rung): unmount(rung)
        case .hastenUnmount: hastenUnmount()
        case .findHolders: findHolders()
        case .killHolders(let atOnce): killHolders(atOnce: atOnce)
        case .abortConnection: abortConnection()
        case .reconnectCache: reconnectCache()
        case .endWorkerAndCleanUp:
            environment.heartbeat.forget(id)
            endWorkerAndCleanUp()
        case .publish(let state): publish(state)
        case .answerReady(let error): answerReady(error)
        case .answerGone(let error):
            environment.tombstones.remove(id)
            answer(&goneWaiters, error)
            if standing == .retired { forgetView() }
        case .answerReset(let error): answer(&resetWaiters, error)
        }
    }

    // MARK: Telling

    func publish(_ state: MountState) {
        lastSeen = WallClock.milliseconds
        // Of the mount, clients know the current view only.
        guard standing == .current else { return }
        if state == .ready { beginLease() }
        let cause = cause(of: state)
        note(state, because: cause)
        // Before anybody is told, and before the first step of an unmount. What was written before a mount was attached says that it is ready, too.
        if state == .ready, isAttaching {
            isAttaching = false
            // A lease and another worker than the first must not be lost. All else can be told from what is attached, so that it need not stand in the
            // way of the answer.
            if lease != nil || machine.restarts > 0 {
                writeRecord()
            } else {
                after(MountEnvironment.recordDelay) { $0.writeRecord() }
            }
        } else if state == .ready || state == .unmounting {
            writeRecord()
        }
        var fields = [("state", state.name), ("cause", cause)]
        if state == .ready, let readyAfter { fields.append(("ready_after_ms", "\(readyAfter)")) }
        log(state.reason == nil ? .info : .error, "mount", fields)
    }

    func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {
        environment.log.log(level, message, [("mount", mountID.rawValue), ("job", request.jobID ?? "-")] + fields)
    }

    func answer(_ waiters: inout [CheckedContinuation<SupervisorError?, Never>], _ error: SupervisorError?) {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.resume(returning: error) }
    }

    func after(_ delay: Duration, _ body: @escaping @Sendable (isolated MountActor) -> Void) {
        Task {
            try? await Pause.sleep(for: delay)
            body(self)
        }
    }

    func after(_ delay: Duration, _ event: MountMachine.Event) {
        Task {
            try? await Pause.sleep(for: delay)
            self.handle(event)
        }
    }

    static func defect(_ what: String) -> SupervisorError {
        SupervisorError(.internalError, "a defect of the supervisor: \(what)")
    }

}
