import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem
import WireFormat

@testable import Dicfuse

/// A cache owner in this process, asked through real sockets.
final class OwnerHarness {
    let server: CacheServer
    let control: Client
    private let thread: SystemThread
    private var stopped = false

    init(_ configuration: CacheConfiguration, endedCleanly: Bool = true) throws {
        let server = try CacheServer(
            configuration, endedCleanly: endedCleanly, listener: nil, signals: nil,
            log: Log(lines: LineSink(standardError: Self.devNull)))
        self.server = server
        let ready = DispatchSemaphore(value: 0)
        thread = try SystemThread.start(name: "owner") {
            try? server.run { ready.signal() }
        }
        ready.wait()
        let (near, far) = try Self.pair()
        try server.attachControl(far.value.duplicate())
        control = try Client(near.value.duplicate())
    }

    deinit {
        stop()
    }

    func stop() {
        if stopped { return }
        stopped = true
        server.stop()
        thread.join()
    }

    private static let devNull = open("/dev/null", O_WRONLY)

    /// A connected pair of packet sockets.
    static func pair() throws -> (OwnedFileBox, OwnedFileBox) {
        var fds: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &fds) == 0 else {
            throw SystemError(Errno.current, "socketpair")
        }
        return (OwnedFileBox(OwnedFD(taking: fds[0])), OwnedFileBox(OwnedFD(taking: fds[1])))
    }

    /// A worker of `origin` that has said hello.
    func worker(_ origin: String = "main") throws -> Client {
        let worker = try control.attach(origin)
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        return worker
    }

    func counter(_ counter: Counter) -> UInt64 {
        server.status.counters[counter.rawValue] ?? 0
    }
}

extension CacheConfiguration {
    /// For tests: short times, one origin named `main`.
    static func test(_ directory: String, _ url: String, mirrors: [String] = []) -> CacheConfiguration {
        var configuration = CacheConfiguration(
            directory: directory, origins: [Origin(name: "main", url: url, mirrors: mirrors)])
        configuration.requestTimeoutMilliseconds = 5_000
        return configuration
    }
}

/// The asker's end of a socket to a cache owner.
final class Client {
    let socket: MessageSocket
    private var nextID: UInt64 = 1

    /// What came back for one request.
    struct Answer {
        var reply: WorkerReply
        var file: OwnedFileBox?
    }

    init(_ fd: consuming OwnedFD) {
        socket = MessageSocket(fd)
    }

    func send(_ request: WorkerRequest, deadline: Deadline = .never) throws -> UInt64 {
        defer { nextID += 1 }
        let header = MessageHeader(operation: request.operation.rawValue, id: nextID, deadline: deadline)
        try socket.send(header.message(request.encode()))
        return nextID
    }

    func send(_ request: ControlRequest, deadline: Deadline = .never, fds: [Int32] = []) throws -> UInt64 {
        defer { nextID += 1 }
        let header = MessageHeader(operation: request.operation.rawValue, id: nextID, deadline: deadline)
        try socket.send(header.message(request.encode()), fds: fds)
        return nextID
    }

    /// The next message: header, payload, descriptors. Throws `CacheError` for an error reply.
    func receive() throws -> (header: MessageHeader, payload: WireReader, fds: ReceivedFDs) {
        guard let (bytes, fds) = try socket.receive(until: .after(.seconds(30))) else { throw Closed() }
        var reader = WireReader(bytes)
        let header = try MessageHeader(from: &reader)
        if header.flags.contains(.error) { throw Refused(id: header.id, error: try CacheError(from: &reader)) }
        return (header, reader, fds)
    }

    func receiveAnswer() throws -> (id: UInt64, answer: Answer) {
        var (header, payload, fds) = try receive()
        guard let operation = CacheOperation(rawValue: header.operation) else { throw Closed() }
        let reply = try WorkerReply(operation: operation, from: &payload)
        var file: OwnedFileBox?
        if let fd = fds.take(0) { file = OwnedFileBox(fd) }
        return (header.id, Answer(reply: reply, file: file))
    }

    func ask(_ request: WorkerRequest, deadline: Deadline = .never) throws -> Answer {
        do {
            let id = try send(request, deadline: deadline)
            let (found, answer) = try receiveAnswer()
            guard found == id else { throw Closed() }
            return answer
        } catch let refused as Refused {
            throw refused.error
        }
    }

    func ask(_ request: ControlRequest, deadline: Deadline = .never, fds: [Int32] = []) throws -> ControlReply {
        do {
            _ = try send(request, deadline: deadline, fds: fds)
            var (_, payload, _) = try receive()
            return try ControlReply(operation: request.operation, from: &payload)
        } catch let refused as Refused {
            throw refused.error
        }
    }

    struct Closed: Error {}
    struct Refused: Error {
        let id: UInt64
        let error: CacheError
    }

    // MARK: Shorthands

    func pin(
        _ revision: String = "", path: String = "/", origin: String = "", deadline: Deadline = .never
    ) throws -> PinnedSnapshot {
        let reply = try ask(.pin(origin: origin, revision: revision, path: Array(path.utf8)), deadline: deadline)
        guard case .pinned(let snapshot) = reply else { throw Closed() }
        return snapshot
    }

    func pin(
        changelist: String, revision: String = "", path: String = "/", root: String? = nil,
        base: ChangelistBase = .revision
    ) throws -> PinnedSnapshot {
        let reply = try ask(
            .pinChangelist(
                origin: "", revision: revision, path: Array(path.utf8), changelist: changelist,
                root: root.map { Array($0.utf8) }, base: base))
        guard case .pinnedChangelist(let snapshot) = reply else { throw Closed() }
        return snapshot
    }

    func report() throws -> StatusReport {
        guard case .status(let json) = try ask(.status) else { throw Closed() }
        return try JSONDecoder().decode(StatusReport.self, from: Data(json.utf8))
    }

    func attach(_ origin: String) throws -> Client {
        let (near, far) = try OwnerHarness.pair()
        let reply = try ask(.attach(mount: "test", origin: origin), fds: [far.value.raw])
        guard case .attached = reply else { throw Closed() }
        return try Client(near.value.duplicate())
    }

    func directory(_ id: ObjectID, deadline: Deadline = .never) throws -> PackedDirectory {
        let answer = try ask(.directory(id), deadline: deadline)
        switch answer.reply {
        case .directory(let bytes): return try PackedDirectory(bytes)
        case .directoryFile(let size):
            guard let file = answer.file else { throw Closed() }
            return try PackedDirectory(received: file.value.duplicate(), size: Int(size))
        default: throw Closed()
        }
    }

    func contents(_ id: ObjectID, size: UInt64, deadline: Deadline = .never) throws -> [UInt8] {
        let answer = try ask(.open(id, expectedSize: size), deadline: deadline)
        switch answer.reply {
        case .blob(let bytes): return bytes
        case .blobFile(let size):
            guard let file = answer.file else { throw Closed() }
            var bytes = [UInt8](repeating: 0, count: Int(size))
            let n = try bytes.withUnsafeMutableBytes { try File.read(file.value.raw, into: $0, at: 0) }
            guard n == bytes.count, try File.size(of: file.value.raw) == size else { throw Closed() }
            return bytes
        default: throw Closed()
        }
    }

    func stat(_ directory: ObjectID, _ index: Int) throws -> (mode: FileMode?, size: UInt64) {
        guard case .stat(let mode, let size) = try ask(.stat(directory: directory, index: UInt32(index))).reply else {
            throw Closed()
        }
        return (FileMode(rawValue: mode), size)
    }
}

/// A descriptor in a copyable place.
final class OwnedFileBox {
    let value: OwnedFD
    init(_ value: consuming OwnedFD) { self.value = value }
}
