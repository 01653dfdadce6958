import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import WireFormat

/// A cache owner that does what a test tells it: one thread for each socket, answers from a `FakeTree`.
final class FakeOwner: Sendable {
    struct Held: Sendable {
        var socket: MessageSocket
        var header: MessageHeader
        var request: WorkerRequest
    }

    private struct State {
        var tree: FakeTree
        var held: [Held] = []
        var holding: Set<ObjectID> = []
        var errors: [ObjectID: CacheError.Code] = [:]
        var asked: [WorkerRequest] = []
        var headers: [MessageHeader] = []
        var cancelled: [UInt64] = []
        var foreseen: [AheadRange] = []
        var greetings = 0
        var sockets: [MessageSocket] = []
        var provider: @Sendable (ObjectID) -> WorkerReply? = { _ in .provided }
    }

    private let state: Guarded<State>
    /// Counts every request that arrived.
    private let arrivals: EventCounter

    init(_ tree: FakeTree) throws {
        state = Guarded(State(tree: tree))
        arrivals = try EventCounter(semaphore: true)
    }

    /// A new socket for a worker; requests on it are answered until `die` or its end.
    func connect() throws -> OwnedFD {
        let (mine, theirs) = try MessageSocket.pair()
        state.with { $0.sockets.append(mine) }
        try SystemThread.start(name: "fake-owner") { [self] in serve(mine) }.detach()
        return try Fd.duplicate(theirs.raw)
    }

    /// Ends all sockets, as the death of the process would.
    func die() {
        let sockets = state.with { state in
            let sockets = state.sockets
            state.sockets = []
            state.held = []
            return sockets
        }
        for socket in sockets { socket.shutDown() }
    }

    /// Requests for `id` are kept back until `release`.
    func hold(_ id: ObjectID) {
        state.with { _ = $0.holding.insert(id) }
    }

    func release(_ id: ObjectID) {
        let held = state.with { state in
            state.holding.remove(id)
            let held = state.held.filter { Self.subject($0.request) == id }
            state.held.removeAll { Self.subject($0.request) == id }
            return held
        }
        for entry in held { answer(entry) }
    }

    /// What is done and answered when an object is to be provided; nil is "not found".
    func onProvide(_ provider: @escaping @Sendable (ObjectID) -> WorkerReply?) {
        state.with { $0.provider = provider }
    }

    func fail(_ id: ObjectID, _ code: CacheError.Code?) {
        state.with { $0.errors[id] = code }
    }

    var asked: [WorkerRequest] { state.with { $0.asked } }
    var headers: [MessageHeader] { state.with { $0.headers } }
    var cancelled: [UInt64] { state.with { $0.cancelled } }
    /// What was asked for before anybody waited for it.
    var foreseen: [AheadRange] { state.with { $0.foreseen } }
    var greetings: Int { state.with { $0.greetings } }

    /// How often `id` was asked for.
    func count(_ id: ObjectID) -> Int {
        asked.count { Self.subject($0) == id }
    }

    /// Waits until `condition` holds, looking after every request that arrives. ETIMEDOUT when none arrives any more.
    func wait(until condition: () -> Bool) throws {
        while !condition() {
            var entry = pollfd(fd: arrivals.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 20_000) == 1 else { throw SystemError(.timedOut, "waiting for a request") }
            arrivals.wait()
        }
    }

    private func serve(_ socket: MessageSocket) {
        while let received = try? socket.receive(until: .never) {
            var reader = WireReader(received.bytes)
            guard let header = try? MessageHeader(from: &reader),
                let operation = CacheOperation(rawValue: header.operation),
                let request = try? WorkerRequest(operation: operation, from: &reader)
            else { break }
            let entry = Held(socket: socket, header: header, request: request)
            let isHeld = state.with { state -> Bool in
                switch request {
                case .hello: state.greetings += 1
                case .cancel(let id): state.cancelled.append(id)
                case .ahead(let range): state.foreseen.append(range)
                default:
                    state.asked.append(request)
                    state.headers.append(header)
                }
                guard let subject = Self.subject(request), state.holding.contains(subject) else { return false }
                state.held.append(entry)
                return true
            }
            if !isHeld { answer(entry) }
            arrivals.add()
        }
        socket.shutDown()
    }

    private func answer(_ entry: Held) {
        let (tree, error) = state.with { state in
            (state.tree, Self.subject(entry.request).flatMap { state.errors[$0] })
        }
        if let error { return refuse(entry, error) }
        switch entry.request {
        case .hello(_, let newest):
            send(entry, .hello(version: newest))
        case .directory(let id):
            guard let bytes = tree.directories[id] else { return refuse(entry, .notFound) }
            if bytes.count <= WorkerReply.inlineDirectoryLimit { return send(entry, .directory(bytes)) }
            guard let file = Self.sealed(bytes) else { return }
            send(entry, .directoryFile(size: UInt64(bytes.count)), file.raw)
        case .stat(let directory, let index):
            guard let detail = tree.details[directory]?[index] else { return refuse(entry, .notFound) }
            send(entry, .stat(mode: detail.mode.rawValue, size: detail.size))
        case .open(let id, _):
            switch tree.blobs[id] {
            case .bytes(let bytes) where bytes.count <= WorkerReply.inlineBlobLimit:
                send(entry, .blob(bytes))
            case .bytes(let bytes):
                guard let file = Self.sealed(bytes) else { return }
                send(entry, .blobFile(size: UInt64(bytes.count)), file.raw)
            case .file(let file, let size):
                send(entry, .blobFile(size: size), file.raw)
            case nil:
                refuse(entry, .notFound)
            }
        case .provide(let id):
            provide(id, entry)
        case .ahead(let range):
            foresee(range, entry, tree)
        case .cancel:
            break
        }
    }

    private func provide(_ id: ObjectID, _ entry: Held) {
        guard let reply = state.with({ $0.provider })(id) else { return refuse(entry, .notFound) }
        send(entry, reply)
    }

    /// Gives what the tree has of a range and a request would be answered with, as the cache owner does.
    private func foresee(_ range: AheadRange, _ entry: Held, _ tree: FakeTree) {
        guard let packed = tree.directories[range.directory], let listing = try? PackedDirectory(packed) else { return }
        var answer = AheadAnswer(directory: range.directory, wanted: range.wanted, next: nil, items: [])
        var files: [SharedFD] = []
        let indices = (range.first..<listing.count).filter { listing[$0].mode.isWanted(range.wanted) }
        answer.next = indices.dropFirst(range.count).first
        let without = state.with { $0.holding.union($0.errors.keys) }
        for index in indices.prefix(range.count) where !without.contains(listing[index].id) {
            let id = listing[index].id
            if let bytes = tree.directories[id] {
                answer.items.append(.init(index: index, content: .directory(bytes)))
            } else if case .bytes(let bytes) = tree.blobs[id], let file = Self.sealed(bytes) {
                files.append(file)
                answer.items.append(.init(index: index, content: .file(size: UInt64(bytes.count))))
            }
        }
        _ = try? entry.socket.send(
            entry.header.reply().message(WorkerReply.ahead(answer).encode()), fds: files.map(\.raw))
    }

    private func send(_ entry: Held, _ reply: WorkerReply, _ fd: Int32? = nil) {
        _ = try? entry.socket.send(entry.header.reply().message(reply.encode()), fds: fd.map { [$0] } ?? [])
    }

    private func refuse(_ entry: Held, _ code: CacheError.Code) {
        _ = try? entry.socket.send(
            entry.header.reply(isError: true).message(CacheError(code, "scripted").encode()))
    }

    private static func sealed(_ bytes: [UInt8]) -> SharedFD? {
        bytes.withUnsafeBytes { bytes in try? SharedFD(SharedMemory.sealedFile(name: "contents", bytes)) }
    }

    static func subject(_ request: WorkerRequest) -> ObjectID? {
        switch request {
        case .directory(let id), .open(let id, _), .provide(let id): id
        case .stat(let directory, _): directory
        case .hello, .cancel, .ahead: nil
        }
    }
}
