import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// The cache owner: epoll threads that answer, one fetch thread, one writer thread for each store.
public final class CacheServer: Sendable {
    private enum Token {
        static let stop: UInt64 = 1
        static let listener: UInt64 = 2
        static let signals: UInt64 = 3
        static let firstConnection: UInt64 = 16
    }

    private struct State {
        var connections: [UInt64: Connection] = [:]
        var nextID = Token.firstConnection
        /// A supervisor has asked for something: it has recorded this process, or will not come back.
        var wasAsked = false
    }

    public static let version = "0.1.0"

    private let configuration: CacheConfiguration
    private let stores: [String: OriginStore]
    private let fetchThread: FetchThread
    private let counters = Counters()
    private let escrow = Escrow()
    private let pulses: [Pulse]
    private let log: Log
    private let epoll: Epoll.Reference
    private let stopping: EventCounter
    private let state = Guarded(State())
    private let startedAt = Deadline.now
    private let listener: SharedFD?
    private let signals: SignalSource?
    private let previousEndedCleanly: Bool
    private let housekeeping: Housekeeping

    /// Opens the stores. The caller holds the lock on the store directory.
    init(
        _ configuration: CacheConfiguration, endedCleanly: Bool, listener: SharedFD?, signals: SignalSource?, log: Log
    ) throws {
        self.configuration = configuration
        self.log = log
        self.listener = listener
        self.signals = signals
        previousEndedCleanly = endedCleanly
        fetchThread = try FetchThread(connections: configuration.connections)
        fetchThread.slowMilliseconds = UInt64(configuration.slowFetchMilliseconds)
        epoll = try Epoll.Reference()
        stopping = try EventCounter()
        let housekeeping = Housekeeping(
            memory: SpillBudget(UInt64(configuration.fullDiskMemory)),
            evictor: try Evictor(limits: configuration.limits, counters: counters, log: log),
            sweeper: try Sweeper(
                rate: UInt64(configuration.sweepRate), interval: .seconds(configuration.sweepIntervalSeconds),
                counters: counters, log: log))
        self.housekeeping = housekeeping
        var stores: [String: OriginStore] = [:]
        for origin in configuration.origins {
            stores[origin.name] = try OriginStore(
                directory: "\(configuration.directory)/\(origin.directoryName)", origin: origin,
                configuration: configuration,
                thread: fetchThread, housekeeping: housekeeping, imagesTrusted: endedCleanly, counters: counters,
                log: log)
        }
        self.stores = stores
        pulses = (0..<configuration.threads).map { _ in Pulse() }
        try epoll.value.add(stopping.raw, .readable, token: Token.stop)
        if let listener { try epoll.value.add(listener.raw, [.readable, .oneShot], token: Token.listener) }
        if let signals { try epoll.value.add(signals.value.raw, [.readable, .oneShot], token: Token.signals) }
    }

    /// Serves until `stop`, a signal or the supervisor ends it; then everything that was queued is stored.
    func run(ready: () -> Void) throws {
        try fetchThread.start(keepers: Array(stores.values))
        let ordered = stores.values.sorted { $0.name < $1.name }
        try housekeeping.evictor.start(ordered)
        try housekeeping.sweeper.start(ordered)
        if configuration.seal {
            for store in ordered { try store.startSealing() }
        }
        if !previousEndedCleanly { housekeeping.sweeper.request(.sizes) }
        var threads: [SystemThread] = []
        for pulse in pulses {
            threads.append(
                try SystemThread.start(name: "cache", isPrompt: true, stackSize: 1 << 20) { [self] in serve(pulse) })
        }
        for store in ordered { store.preloader.start(store, thread: fetchThread) }
        ready()
        for thread in threads { thread.join() }
        housekeeping.sweeper.stop()
        housekeeping.evictor.stop()
        fetchThread.stop()
        for store in stores.values { store.finish() }
        state.with { state in
            for connection in state.connections.values { connection.close() }
            state.connections = [:]
        }
    }

    /// Ends `run`. Safe from any thread.
    func stop() {
        stopping.add()
    }

    var status: StatusReport {
        let workers = state.with { state in
            state.connections.values.count { if case .worker = $0.role { true } else { false } }
        }
        return StatusReport(
            version: Self.version,
            uptimeSeconds: Int64((Deadline.now.nanoseconds - startedAt.nanoseconds) / 1_000_000_000),
            previousEndedCleanly: previousEndedCleanly, workers: workers, counters: counters.named,
            failures: counters.failuresByCode, droppedLogLines: log.droppedLines,
            eviction: housekeeping.evictor.report, sweep: housekeeping.sweeper.report,
            disk: StatusReport.Disk(of: configuration.directory),
            origins: stores.values.sorted { $0.name < $1.name }.map { store in
                let (flights, waiters) = store.waiters
                let objects = store.objectUsage
                let aside = (try? store.objects.quarantine()) ?? StoreUsage()
                let (places, images) = (store.places, store.images.all)
                let inUse = store.images.inUse
                return StatusReport.Origin(
                    name: store.name, flights: flights, waiters: waiters, indexBytes: store.indexBytes,
                    objects: objects?.objects ?? 0, objectBytes: objects?.bytes ?? 0, images: images.count,
                    imageBytes: images.reduce(0) { $0 + $1.image.footprint },
                    mountedImages: images.count { inUse.contains($0.key) }, quarantined: aside.objects,
                    quarantinedBytes: aside.bytes,
                    isBusy: objects == nil || store.isLanding || store.salvager.isBusy || !store.writer.isIdle,
                    state: places.state, offlineSeconds: places.offlineSince.map { Deadline.now.seconds(since: $0) },
                    places: places.report, fetchTimes: store.fetcher?.figures.times,
                    retries: store.fetcher?.figures.retries ?? [:], preloads: store.preloader.reports)
            })
    }

    func store(_ origin: String) -> OriginStore? { stores[origin] }

    // MARK: Connections

    /// Serves a worker of the origin at the other end of `socket`.
    func attach(_ socket: consuming OwnedFD, mount: String, origin: OriginStore) throws(SystemError) {
        try connect(socket, .worker(mount: mount, store: origin))
    }

    /// Serves a supervisor at the other end of `socket`.
    func attachControl(_ socket: consuming OwnedFD) throws(SystemError) {
        try connect(socket, .control)
    }

    private func connect(_ socket: consuming OwnedFD, _ role: Connection.Role) throws(SystemError) {
        let id = state.with { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        // In the table before its first event can come.
        let connection = try Connection(id: id, role: role, socket: socket)
        state.with { $0.connections[id] = connection }
        do throws(SystemError) {
            try connection.register(epoll)
        } catch {
            _ = state.with { $0.connections.removeValue(forKey: id) }
            throw error
        }
    }

    private func disconnect(_ connection: Connection, _ reason: String) {
        _ = state.with { $0.connections.removeValue(forKey: connection.id) }
        connection.close()
        switch connection.role {
        case .control:
            for store in stores.values { store.leave(owner: connection.id) }
            log.info("control-closed", ["reason": reason])
            // A supervisor that died before it could record this process: nobody would find it, and it holds the store.
            if state.with({ !$0.wasAsked }) {
                log.info("stopping", ["reason": "the supervisor ended before it asked for anything"])
                stop()
            }
        case .worker(let mount, let store):
            store.leave(owner: connection.id)
            log.info("worker-closed", ["mount": mount, "origin": store.name, "reason": reason])
        }
    }

    // MARK: The epoll threads

    /// What one epoll thread works with.
    private struct Desk: ~Copyable {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: MessageSocket.maximumMessage, alignment: 16)
        let worker: WorkerService
        let control: ControlService
        /// One for each store, by its position in `stores`.
        var readers: Readers

        deinit {
            buffer.deallocate()
        }
    }

    private func serve(_ pulse: Pulse) {
        let desk: Desk
        do {
            desk = try makeDesk()
        } catch {
            log.error("index-read-failed", ["cause": "\(error)"])
            return stop()
        }
        while true {
            guard let events = try? epoll.value.wait(limit: 16) else { continue }
            pulse.beginTurn()
            defer { pulse.endTurn() }
            for event in events {
                switch event.token {
                case Token.stop: return
                case Token.listener: accept()
                case Token.signals: takeSignal()
                default: serve(event.token, desk)
                }
            }
        }
    }

    private func makeDesk() throws -> Desk {
        Desk(
            worker: WorkerService(counters: counters, log: log),
            control: ControlService(
                stores: stores, defaultOrigin: configuration.defaultOrigin, counters: counters, escrow: escrow,
                log: log,
                attach: { [self] (socket, mount, store) throws(SystemError) in
                    try attach(socket, mount: mount, origin: store)
                },
                status: { [self] in status.json }, housekeeping: housekeeping,
                tellSlow: { [fetchThread] in fetchThread.slowMilliseconds = $0 },
                pulses: { [self] in (pulses + [fetchThread.pulse]).compactMap(\.report) },
                shutDown: { [self] in stop() }),
            readers: try Readers(stores))
    }

    private func accept() {
        defer {
            if let listener { try? epoll.value.change(listener.raw, [.readable, .oneShot], token: Token.listener) }
        }
        guard let listener else { return }
        do throws(SystemError) {
            try attachControl(try MessageSocket.accept(listener.raw))
        } catch  where error.errno == .wouldBlock || error.errno == .connectionAborted {
            return
        } catch {
            log.error("accept-failed", ["cause": "\(error)"])
        }
    }

    private func takeSignal() {
        guard let signals else { return }
        if let signal = try? signals.value.next() {
            log.info("stopping", ["signal": "\(signal)"])
            return stop()
        }
        try? epoll.value.change(signals.value.raw, [.readable, .oneShot], token: Token.signals)
    }

    /// Messages taken from one connection before others get their turn.
    private static let batch = 32

    private func serve(_ id: UInt64, _ desk: borrowing Desk) {
        guard let connection = state.with({ $0.connections[id] }), connection.begin() else { return }
        connection.flush()
        do throws(SystemError) {
            for _ in 0..<Self.batch {
                guard let (message, fds) = try connection.receive(into: desk.buffer) else { break }
                switch handle(message, fds, connection, desk) {
                case .done: continue
                case .violation(let text):
                    counters.add(.protocolErrors)
                    return disconnect(connection, "protocol violation: \(text)")
                }
            }
        } catch {
            if error.errno == .messageTooLong { counters.add(.protocolErrors) }
            return disconnect(connection, error.detail.isEmpty ? "\(error)" : error.detail)
        }
        connection.end()
    }

    private func handle(
        _ message: [UInt8], _ fds: ReceivedFDs, _ connection: Connection, _ desk: borrowing Desk
    ) -> Handled {
        switch connection.role {
        case .control:
            state.with { $0.wasAsked = true }
            return desk.control.handle(message, fds, on: connection)
        case .worker(_, let store):
            guard fds.count == 0 else { return .violation("a descriptor on a worker's socket") }
            return desk.readers.with(store) { (reader: borrowing IndexReader) in
                desk.worker.handle(message, on: connection, store: store, reader: reader)
            }
        }
    }
}

/// Signals that several threads may take.
final class SignalSource: Sendable {
    let value: Signals

    init(_ value: consuming Signals) {
        self.value = value
    }
}

/// One thread's readers, one for each store.
struct Readers: ~Copyable {
    private let boxes: [String: IndexReaderBox]

    init(_ stores: [String: OriginStore]) throws(IndexError) {
        var boxes: [String: IndexReaderBox] = [:]
        for (name, store) in stores { boxes[name] = try IndexReaderBox(store.index) }
        self.boxes = boxes
    }

    borrowing func with(
        _ store: OriginStore, _ body: (borrowing IndexReader) -> Handled
    ) -> Handled {
        guard let box = boxes[store.name] else { return .violation("no reader for \(store.name)") }
        return body(box.reader)
    }
}
