import CacheProtocol
import Glibc
import LinuxSystem
import WireFormat

/// The cache owner process: starts it, asks it, and starts it again when it ends. Workers live on meanwhile.
actor CacheOwner {
    let configuration: SupervisorConfiguration
    private let executor: SupervisionExecutor
    let program: String
    private let user: Accounts.User
    private let loop: ChannelLoop
    private let monitor: ExitMonitor
    private let lines: ChildLines
    let log: any SupervisorLog
    let events: EventLog
    private let metrics: Metrics
    private let onRestart: @Sendable () -> Void
    private(set) var process: ChildProcess?
    private(set) var channel: ControlChannel? {
        didSet { need.with { [channel] in $0.channel = channel } }
    }
    let need = Guarded(Need())
    /// From how long on owners tell of requests to origins; a reload may change it.
    var slowOperation: Duration
    var heartbeat: Heartbeat?
    /// What every owner is to keep.
    var deposits: [MountID: (custody: Custody, image: ImageReference?)] = [:]
    /// From an owner of an earlier supervisor that had to be ended, until the mounts are adopted.
    private(set) var salvage: Salvage?
    private var recentPins = RecentPins()
    private var backoff = RestartBackoff()
    private(set) var stopping = false
    /// The first answer of an owner that this supervisor started is being waited for.
    private var isStarting = false
    /// Before that it ended by itself, with a reason that another would have, too.
    private var cannotStart = false
    private var failedStarts = 0
    private static let furtherStarts = 2
    /// Ends that this supervisor saw, and the last one's cause.
    private(set) var restarts = 0
    private(set) var lastRestartCause: String?
    /// Those who wait for the next process, by a number of their own.
    private var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter: UInt64 = 0

    /// An owner that lives answers in microseconds. One that is stopped finds the message, and the socket in it, when it goes on.
    static let attachTimeout: Duration = .seconds(1)
    static let startTimeout: Duration = .seconds(10)
    static let adoptionTimeout: Duration = .seconds(3)
    static let stopTimeout: Duration = .seconds(5)
    static let openFileLimit: UInt64 = 65536

    init(
        configuration: SupervisorConfiguration, executor: SupervisionExecutor, program: String, user: Accounts.User,
        loop: ChannelLoop, monitor: ExitMonitor, lines: ChildLines, log: any SupervisorLog, events: EventLog,
        metrics: Metrics,
        onRestart: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        slowOperation = configuration.slowOperation
        self.executor = executor
        self.program = program
        self.user = user
        self.loop = loop
        self.monitor = monitor
        self.lines = lines
        self.log = log
        self.events = events
        self.metrics = metrics
        self.onRestart = onRestart
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    var pid: Int32? {
        process?.pid
    }

    /// Starts the process, or goes on with the one that an earlier supervisor started, and waits until it answers.
    func start() async throws(SupervisorError) {
        if await adoptRunning() {
            // It goes by what it was started with.
            await tellSlow()
            return
        }
        do throws(SystemError) {
            try launch()
        } catch {
            throw SupervisorError(.internalError, "cannot start the cache owner \(program): \(error)")
        }
        do throws(SupervisorError) {
            // One that is killed meanwhile says nothing about the next.
            isStarting = true
            defer { isStarting = false }
            _ = try await askPatiently(Self.greeting, deadline: .after(Self.startTimeout))
        } catch {
            process?.signal(SIGKILL)
            throw SupervisorError(
                .internalError, "the cache owner \(program) does not start, or speaks another protocol",
                cause: error.description)
        }
    }

    /// Lets go of the process, which goes on for the next supervisor.
    func leave() {
        stopping = true
        wakeWaiting()
        channel?.close("the supervisor is stopping")
    }

    /// Ends the process, after it has written what it has to write.
    func stop() async {
        stopping = true
        wakeWaiting()
        guard let process else { return ProcessRecord.remove(socket: socketPath) }
        _ = try? await ask(.shutDown, deadline: .after(Self.stopTimeout))
        let deadline = Deadline.after(Self.stopTimeout)
        let ended = try? await BlockingThreads(count: 1, name: "cache-end").run { process.waitForEnd(until: deadline) }
        if ended != true { process.signal(SIGKILL) }
        channel?.close("the supervisor is stopping")
        ProcessRecord.remove(socket: socketPath)
    }

    /// Resolves a revision and a path. An owner that ends meanwhile costs time only: the next one is asked again. Throws the reason in the
    /// client's terms.
    func pin(
        origin: String, revision: String, path: String, deadline: Deadline
    ) async throws(SupervisorError) -> PinnedSnapshot {
        let question = RecentPins.Question(origin: origin, revision: revision, path: path)
        if let snapshot = recentPins.answer(to: question, at: .now) { return snapshot }
        let request = ControlRequest.pin(origin: origin, revision: revision, path: Array(path.utf8))
        let asked = Deadline.now
        guard case .pinned(let snapshot) = try await askPatiently(request, deadline: deadline) else {
            throw SupervisorError(.internalError, "the cache owner answered something else")
        }
        recentPins.note(snapshot, for: question, at: asked)
        return snapshot
    }

    /// As `pin`, with a changelist applied to the commit.
    func pin(
        origin: String, revision: String, path: String, changelist: ChangelistRequest, deadline: Deadline
    ) async throws(SupervisorError) -> PinnedSnapshot {
        try await requireVersion(ControlProtocolVersion.changelists, for: "knows no changelists", deadline: deadline)
        let request = ControlRequest.pinChangelist(
            origin: origin, revision: revision, path: Array(path.utf8), changelist: changelist.name,
            root: changelist.path.map { Array($0.utf8) }, base: changelist.base == .own ? .own : .revision)
        guard case .pinnedChangelist(let snapshot) = try await askPatiently(request, deadline: deadline) else {
            throw SupervisorError(.internalError, "the cache owner answered something else")
        }
        return snapshot
    }

    /// A socket on which a worker can ask for objects of `origin`. While there is no owner it is one that is closed at the other end: a
    /// worker must not wait for the owner before it takes over, and gets another socket when the next owner is there.
    ///
    /// What the owner says to it is not waited for: it has the message, and the socket in it, before anything that the worker asks, and one that is
    /// stopped finds them when it goes on.
    func attach(mount: MountID, origin: String) throws(SupervisorError) -> MessageSocket {
        let (workerEnd, ownerEnd): (MessageSocket, MessageSocket)
        do throws(SystemError) {
            (workerEnd, ownerEnd) = try MessageSocket.pair()
        } catch {
            throw SupervisorError(.internalError, "cannot make a socket pair: \(error)")
        }
        Task.immediate {
            do throws(SupervisorError) {
                _ = try await self.ask(
                    .attach(mount: mount.rawValue, origin: origin), fds: [ownerEnd.raw],
                    deadline: .after(Self.attachTimeout))
            } catch {
                self.log.log(
                    .warning, "a worker has to do without the cache owner for now",
                    [("mount", mount.rawValue), ("reason", error.description)])
            }
        }
        return workerEnd
    }

    /// What was taken out of an ended owner is not needed any more.
    func forgetSalvage() {
        salvage = nil
    }

    // MARK: The process

    private var socketPath: String {
        configuration.runDirectory + "/cache.sock"
    }

    /// True if a living owner answers. One that lives and does not answer is ended: it holds the store's lock.
    private func adoptRunning() async -> Bool {
        guard let running = ProcessRecord.livingProcess(socket: socketPath) else { return false }
        if let channel = try? ControlChannel(MessageSocket(try MessageSocket.connect(socketPath)), loop: loop) {
            self.channel = channel
            process = running
            if (try? await greet(deadline: .after(Self.adoptionTimeout))) != nil {
                log.log(.notice, "going on with the running cache owner", [("pid", "\(running.pid)")])
                events.record(.cacheAdopted, details: [("pid", "\(running.pid)")])
                watch(running)
                return true
            }
            channel.close("it does not answer")
        }
        log.log(.warning, "the running cache owner does not answer; it is replaced", [("pid", "\(running.pid)")])
        events.record(.cacheReplaced, cause: "it did not answer", details: [("pid", "\(running.pid)")])
        salvage = Salvage(from: running)
        running.signal(SIGKILL)
        let deadline = Deadline.after(Self.stopTimeout)
        _ = try? await BlockingThreads(count: 1, name: "cache-end").run { running.waitForEnd(until: deadline) }
        process = nil
        channel = nil
        return false
    }

    private func launch() throws(SystemError) {
        ProcessRecord.remove(socket: socketPath)
        let listener = try MessageSocket.listen(socketPath)
        var current = configuration
        current.slowOperation = slowOperation
        let settings = try SharedMemory.sealedFile(
            name: "antares-cache-configuration", CacheOwnerConfiguration(current).json())
        let lines = lines.openEnd()
        var spec = ProcessSpec(
            path: program, environment: configuration.childEnvironment,
            fds: [nil, nil, 2, listener.raw, settings.raw] + (lines.map { [$0.raw] } ?? []))
        spec.uid = user.uid
        spec.gid = user.gid
        // Not that of the supervision thread, which goes before the builds.
        spec.nice = 0
        spec.openFileLimit = Self.openFileLimit
        spec.oomScoreAdjust = OOMScore.raised(to: OOMScore.owner)
        let channel = try ControlChannel(MessageSocket(try MessageSocket.connect(socketPath)), loop: loop)
        let process = try ChildProcess.spawn(spec)
        do throws(SystemError) {
            // Before the first message: an owner that nobody has asked anything ends with its supervisor, one that was asked can be found.
            try ProcessRecord.write(process.identity, socket: socketPath)
        } catch {
            // It serves all the same; only a later supervisor would have to start another one in its place.
            log.log(.error, "cannot record the cache owner", [("error", error.description)])
        }
        self.channel = channel
        self.process = process
        watch(process)
        depositAgain()
        wakeWaiting()
        events.record(.cacheStarted, details: [("pid", "\(process.pid)")])
    }

    /// Ends an owner that hangs; the next one is started when it is gone.
    func end(_ process: ChildProcess, _ evidence: String) {
        guard self.process === process, !stopping else { return }
        log.log(.error, "the cache owner hangs; it is replaced", [("pid", "\(process.pid)"), ("evidence", evidence)])
        events.record(.cacheReplaced, cause: "hung: \(evidence)", details: [("pid", "\(process.pid)")])
        process.signal(SIGKILL)
    }

    private func watch(_ process: ChildProcess) {
        Task {
            let status = await self.monitor.end(of: process)
            await self.ended(process, status)
        }
    }

    private func ended(_ ended: ChildProcess, _ status: ExitStatus) async {
        guard process === ended else { return }
        channel?.close("the cache owner ended with \(status)")
        if !stopping {
            restarts += 1
            lastRestartCause = status.description
            metrics.cacheRestarts.add(RestartReason(status))
            events.record(.cacheEnded, cause: status.description, details: [("pid", "\(ended.pid)")])
        }
        process = nil
        channel = nil
        recentPins.forget()
        if isStarting, case .code = status {
            failedStarts += 1
            // One that an earlier supervisor was just starting may hold the store for a moment.
            guard failedStarts <= Self.furtherStarts else {
                cannotStart = true
                return wakeWaiting()
            }
        }
        while !stopping, process == nil {
            let delay = backoff.next(at: .now)
            log.log(.error, "cache owner ended", [("status", "\(status)"), ("restart_in", "\(delay)")])
            try? await Pause.sleep(for: delay)
            do {
                if !stopping { try launch() }
            } catch {
                log.log(.error, "cannot start the cache owner", [("error", "\(error)")])
            }
        }
        if !stopping { onRestart() }
    }

    /// Asks, and asks the next owner if this one ends first. For requests that may be made twice.
    func askPatiently(
        _ request: ControlRequest, deadline: Deadline
    ) async throws(SupervisorError) -> ControlReply {
        while true {
            let asked = channel
            do throws(ControlChannel.Failure) {
                return try await exchange(request, deadline: deadline)
            } catch {
                if stopping { throw SupervisorError(.shuttingDown, "the supervisor is stopping") }
                guard case .closed = error, !cannotStart, !deadline.hasPassed else {
                    throw Self.explain(error, request)
                }
                if asked === channel { await nextProcess(before: deadline) }
            }
        }
    }

    private func nextProcess(before deadline: Deadline) async {
        let number = nextWaiter
        nextWaiter += 1
        let timer = Task {
            try? await Pause.sleep(for: deadline.remaining)
            self.wake(number)
        }
        await withCheckedContinuation { waiting[number] = $0 }
        timer.cancel()
    }

    private func wake(_ number: UInt64) {
        waiting.removeValue(forKey: number)?.resume()
    }

    private func wakeWaiting() {
        for number in waiting.keys { wake(number) }
    }

    func ask(
        _ request: ControlRequest, fds: [Int32] = [], deadline: Deadline
    ) async throws(SupervisorError) -> ControlReply {
        do throws(ControlChannel.Failure) {
            return try await exchange(request, fds: fds, deadline: deadline)
        } catch {
            throw Self.explain(error, request)
        }
    }

    private func exchange(
        _ request: ControlRequest, fds: [Int32] = [], deadline: Deadline
    ) async throws(ControlChannel.Failure) -> ControlReply {
        guard let channel else { throw .closed("it ended") }
        heartbeat?.nudge()
        do throws(ControlChannel.Failure) {
            var reader = try await channel.request(
                request.operation.rawValue, request.encode(), fds: fds, deadline: deadline)
            do throws(WireError) {
                return try ControlReply(operation: request.operation, from: &reader)
            } catch {
                throw .closed("malformed reply: \(error)")
            }
        } catch {
            // One that lives but cannot be talked to any more has to make way for the next.
            if case .closed = error, channel === self.channel, !stopping { process?.signal(SIGKILL) }
            throw error
        }
    }

    static func explain(_ failure: ControlChannel.Failure, _ request: ControlRequest) -> SupervisorError {
        switch failure {
        case .refused(var reader):
            guard let error = try? CacheError(from: &reader) else {
                return SupervisorError(.internalError, "the cache owner refused without a reason")
            }
            return SupervisorError(code(of: error.code), error.message)
        case .timedOut:
            return SupervisorError(.timedOut, "the cache owner did not answer \(request.operation) in time")
        case .closed(let reason):
            return SupervisorError(.internalError, "the cache owner is gone (\(reason)); it is restarted, try again")
        }
    }

    /// The one mapping from the cache's errors to the API's.
    static func code(of code: CacheError.Code) -> SupervisorError.Code {
        switch code {
        case .notFound, .notADirectory: .pathNotFound
        case .unknownRevision: .revisionNotFound
        case .unknownOrigin, .invalidRequest, .changelistMisplaced: .invalidRequest
        case .unknownChangelist: .changelistNotFound
        case .changelistConflict: .changelistConflict
        case .unreachable, .unauthorized, .overloaded: .originUnreachable
        case .timedOut: .timedOut
        case .corrupt, .refused: .originCorrupt
        case .storage, .noSpace, .cancelled, .internalFailure: .internalError
        }
    }
}
