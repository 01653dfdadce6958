import Glibc
import LinuxSystem
import WireFormat
import WorkerProtocol

/// A process of the real worker program and a connection to its control socket.
final class TestWorker: Sendable {
    struct Refused: Error, Hashable {
        let message: String
    }

    let process: ChildProcess
    private let path: String
    private let connection: Guarded<MessageSocket>

    /// The worker of an earlier build, for whoever has one (`ANTARES_EARLIER_WORKER`).
    static let earlierProgram = getenv("ANTARES_EARLIER_WORKER").map { String(cString: $0) }

    /// With `uid`, from a copy of the program that this user can reach.
    init(uid: UInt32? = nil, faults: String? = nil, program: String? = nil) throws {
        path = "/tmp/antares-worker-test-\(getpid())-\(Deadline.now.nanoseconds)"
        let listener = try MessageSocket.listen(path)
        var spec = ProcessSpec(
            path: program ?? TestMount.programs + "/antares-worker", fds: [nil, nil, 2, listener.raw])
        if let faults { spec.arguments = ["--test-faults", faults] }
        if let uid {
            let copy = path + ".program"
            try File.replace(copy, with: try File.contents(spec.path, limit: 1 << 30), mode: 0o755)
            defer { unlink(copy) }
            (spec.path, spec.uid, spec.gid) = (copy, uid, uid)
            spec.memoryLockLimit = 4 << 20
            process = try ChildProcess.spawn(spec)
        } else {
            process = try ChildProcess.spawn(spec)
        }
        connection = Guarded(MessageSocket(try MessageSocket.connect(path)))
    }

    deinit {
        kill()
        unlink(path)
    }

    /// A second supervisor takes over from the first.
    func connectAgain() throws {
        let socket = MessageSocket(try MessageSocket.connect(path))
        connection.with { $0 = socket }
    }

    func disconnect() throws {
        let (_, other) = try MessageSocket.pair()
        connection.with { $0 = other }
    }

    @discardableResult
    func call(_ request: WorkerControlRequest, fds: [Int32] = []) throws -> WorkerControlReply {
        let socket = connection.with { $0 }
        let header = MessageHeader(operation: request.operation.rawValue, id: 7)
        try socket.send(header.message(request.encode()), fds: fds)
        guard let (bytes, _) = try socket.receive(until: .after(.seconds(20))) else {
            throw SystemError(.connectionReset, "recvmsg")
        }
        var reader = WireReader(bytes)
        let reply = try MessageHeader(from: &reader)
        if reply.flags.contains(.error) { throw Refused(message: try reader.string()) }
        return try WorkerControlReply(operation: request.operation, from: &reader)
    }

    func status() throws -> WorkerStatus {
        guard case .status(let status) = try call(.status) else { throw SystemError(.protocolError, "status") }
        return status
    }

    /// SIGKILL, and its end.
    func kill() {
        process.signal(SIGKILL)
        _ = end()
    }

    /// Waits for the end.
    func end() -> ExitStatus? {
        guard process.waitForEnd(until: .after(.seconds(20))) else { return nil }
        return process.reap()
    }
}
