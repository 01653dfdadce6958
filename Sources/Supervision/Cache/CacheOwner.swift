import CacheProtocol
import Glibc
import LinuxSystem
import WireFormat

/// The cache owner process: starts it, asks it, and starts it again when it ends. Workers live on meanwhile.
actor CacheOwner {
    private let configuration: SupervisorConfiguration
    private let executor: SupervisionExecutor
    private let program: String
    private let user: Accounts.User
    private let loop: ChannelLoop
    private let monitor: ExitMonitor
    private let log: any SupervisorLog
    private let onRestart: @Sendable () -> Void
    private var process: ChildProcess?
    private var channel: ControlChannel?
    private var backoff = RestartBackoff()
    private var stopping = false
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
        loop: ChannelLoop, monitor: ExitMonitor, log: any SupervisorLog, onRestart: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        self.executor = executor
        self.program = program
        self.user = user
        self.loop = loop
        self.monitor = monitor
        self.log = log
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
        if await adoptRunning() { return }
        do throws(SystemError) {
            try launch()
        } catch {
            throw SupervisorError(.internalError, "cannot start the cache owner \(program): \(error)")
        }
        do throws(SupervisorError) {
            _ = try await ask(.status, deadline: .after(Self.startTimeout))
        } catch {
            process?.signal(SIGKILL)
            throw SupervisorError(
                .internalError, "the cache owner does not start; its message is above, in the log",
                cause: error.description)
        }
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
        let request = ControlRequest.pin(origin: origin, revision: revision, path: Array(path.utf8))
        guard case .pinned(let snapshot) = try await askPatiently(request, deadline: deadline) else {
            throw SupervisorError(.internalError, "the cache owner answered something else")
        }
        return snapshot
    }

    /// A socket on which a worker can ask for objects of `origin`. While there is no owner it is one that is closed at the other end: a
    /// worker must not wait for the owner before it takes over, and gets another socket when the next owner is there.
    func attach(mount: MountID, origin: String) async throws(SupervisorError) -> MessageSocket {
        let (workerEnd, ownerEnd): (MessageSocket, MessageSocket)
        do throws(SystemError) {
            (workerEnd, ownerEnd) = try MessageSocket.pair()
        } catch {
            throw SupervisorError(.internalError, "cannot make a socket pair: \(error)")
        }
        do throws(SupervisorError) {
            _ = try await ask(
                .attach(mount: mount.rawValue, origin: origin), fds: [ownerEnd.raw],
                deadline: .after(Self.attachTimeout))
        } catch {
            log.log(
                .warning, "a worker has to do without the cache owner for now",
                [("mount", mount.rawValue), ("reason", error.description)])
        }
        return workerEnd
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
            if (try? await ask(.status, deadline: .after(Self.adoptionTimeout))) != nil {
                log.log(.notice, "going on with the running cache owner", [("pid", "\(running.pid)")])
                watch(running)
                return true
            }
            channel.close("it does not answer")
        }
        log.log(.warning, "the running cache owner does not answer; it is replaced", [("pid", "\(running.pid)")])
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
        let settings = try SharedMemory.sealedFile(
            name: "antares-cache-configuration", CacheOwnerConfiguration(configuration).json())
        var spec = ProcessSpec(path: program, fds: [nil, nil, 2, listener.raw, settings.raw])
        spec.uid = user.uid
        spec.gid = user.gid
        // Not that of the supervision thread, which goes before the builds.
        spec.nice = 0
        spec.openFileLimit = Self.openFileLimit
        let channel = try ControlChannel(MessageSocket(try MessageSocket.connect(socketPath)), loop: loop)
        let process = try ChildProcess.spawn(spec)
        self.channel = channel
        self.process = process
        watch(process)
        wakeWaiting()
        try ProcessRecord.write(process.identity, socket: socketPath)
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
        process = nil
        channel = nil
        while !stopping, process == nil {
            let delay = backoff.next(at: .now)
            log.log(.error, "cache owner ended", [("status", "\(status)"), ("restart_in", "\(delay)")])
            try? await Task.sleep(for: delay)
            do {
                if !stopping { try launch() }
            } catch {
                log.log(.error, "cannot start the cache owner", [("error", "\(error)")])
            }
        }
        if !stopping { onRestart() }
    }

    /// Asks, and asks the next owner if this one ends first. For requests that may be made twice.
    private func askPatiently(
        _ request: ControlRequest, deadline: Deadline
    ) async throws(SupervisorError) -> ControlReply {
        while true {
            let asked = channel
            do throws(ControlChannel.Failure) {
                return try await exchange(request, deadline: deadline)
            } catch {
                if stopping { throw SupervisorError(.shuttingDown, "the supervisor is stopping") }
                guard case .closed = error, !deadline.hasPassed else { throw Self.explain(error, request) }
                if asked === channel { await nextProcess(before: deadline) }
            }
        }
    }

    private func nextProcess(before deadline: Deadline) async {
        let number = nextWaiter
        nextWaiter += 1
        let timer = Task {
            try? await Task.sleep(for: deadline.remaining)
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

    private func ask(
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

    private static func explain(_ failure: ControlChannel.Failure, _ request: ControlRequest) -> SupervisorError {
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
        case .unknownOrigin, .invalidRequest: .invalidRequest
        case .unreachable, .unauthorized, .overloaded: .originUnreachable
        case .timedOut: .timedOut
        case .corrupt, .refused: .originCorrupt
        case .storage, .cancelled, .internalFailure: .internalError
        }
    }
}
