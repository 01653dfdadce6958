import Glibc
import LinuxSystem
import WireFormat
import WorkerProtocol

/// A running worker: its process, its control socket, and whom to tell when it ends.
final class WorkerProcess: Sendable {
    private struct End {
        var status: ExitStatus?
        var observer: (@Sendable (ExitStatus) -> Void)?
    }

    let process: ChildProcess
    private let channel: ControlChannel
    let socketPath: String
    private let end = Guarded(End())
    /// What it said when it was greeted.
    private let greeting = Guarded<WorkerVersions?>(nil)

    init(process: ChildProcess, channel: ControlChannel, socketPath: String) {
        self.process = process
        self.channel = channel
        self.socketPath = socketPath
    }

    var pid: Int32 {
        process.pid
    }

    /// Starts to watch for the process's end. Call once.
    func watch(with monitor: ExitMonitor) {
        monitor.whenEnded(process) { [self] status in
            channel.close("the worker ended")
            ProcessRecord.remove(socket: socketPath)
            // Told once and let go: an observer holds its worker, which would else hold its descriptors for ever.
            let observer = end.with { end in
                end.status = status
                return end.observer.take()
            }
            observer?(status)
        }
    }

    /// Who is told about the end from now on, on any thread; at once if it has come already.
    func onEnd(_ observer: @escaping @Sendable (ExitStatus) -> Void) {
        let ended = end.with { end in
            if end.status == nil { end.observer = observer }
            return end.status
        }
        if let ended { observer(ended) }
    }

    /// Suspends until it has ended. Only for one that nobody observes.
    func ended() async -> ExitStatus {
        await withCheckedContinuation { continuation in onEnd { continuation.resume(returning: $0) } }
    }

    /// How it ended; nil while it lives.
    var endStatus: ExitStatus? {
        end.with { $0.status }
    }

    var hasEnded: Bool {
        end.with { $0.status != nil }
    }

    /// Asks which versions it speaks. Throws when there is none in common: it must not be given anything then.
    @discardableResult
    func greet(deadline: Deadline) async throws(WorkerFailure) -> WorkerVersions {
        guard case .greeted(let versions) = try await request(.greet, [], deadline) else {
            throw WorkerFailure(pid: pid, reason: "sent another reply than asked for")
        }
        greeting.with { $0 = versions }
        guard WorkerVersions.own.agreed(with: versions) != nil else {
            throw WorkerFailure(pid: pid, reason: "it speaks \(versions), this supervisor \(WorkerVersions.own)")
        }
        return versions
    }

    /// Nil before `greet`.
    var versions: WorkerVersions? {
        greeting.with { $0 }
    }

    /// Hands the connection over: the worker replays INIT, has the kernel send lost requests again, and serves.
    func assume(
        mount: MountID, custody: Custody, cache: MessageSocket, deadline: Deadline
    ) async throws(WorkerFailure) {
        let version = try await version(for: custody.memory, deadline: deadline)
        try await request(
            .assume(version: version, mount: mount.rawValue), [custody.raw, custody.memory.fd.raw, cache.raw], deadline)
    }

    /// The version of the protocol to speak with it. Throws when it could not serve this session, before it gets hold of anything.
    func version(for memory: SessionMemory, deadline: Deadline) async throws(WorkerFailure) -> UInt16 {
        let known: WorkerVersions
        if let versions { known = versions } else { known = try await greet(deadline: deadline) }
        guard let version = WorkerVersions.own.agreed(with: known), known.session.contains(memory.layout) else {
            throw WorkerFailure(
                pid: pid, reason: "it speaks \(known); the session has layout \(memory.layout)")
        }
        return version
    }

    /// Gives the worker a socket to a new cache owner.
    func reconnectCache(_ cache: MessageSocket, deadline: Deadline) async throws(WorkerFailure) {
        try await request(.reconnectCache, [cache.raw], deadline)
    }

    func status(deadline: Deadline) async throws(WorkerFailure) -> WorkerStatus {
        guard case .status(let status) = try await request(.status, [], deadline) else {
            throw WorkerFailure(pid: pid, reason: "sent another reply than asked for")
        }
        return status
    }

    func signal(_ number: Int32) {
        process.signal(number)
    }

    @discardableResult
    private func request(
        _ request: WorkerControlRequest, _ fds: [Int32], _ deadline: Deadline
    ) async throws(WorkerFailure) -> WorkerControlReply {
        let failure: String
        do throws(ControlChannel.Failure) {
            var reader = try await channel.request(
                request.operation.rawValue, request.encode(), fds: fds, deadline: deadline)
            do throws(WireError) {
                return try WorkerControlReply(operation: request.operation, from: &reader)
            } catch {
                failure = "malformed reply: \(error)"
            }
        } catch .refused(var reader) {
            failure = (try? reader.string()) ?? "refused without a reason"
        } catch {
            failure = error.description
        }
        throw WorkerFailure(pid: pid, reason: failure)
    }
}

/// A worker that could not be started or did not do what it was asked.
struct WorkerFailure: Error, CustomStringConvertible {
    let pid: Int32?
    let reason: String
    /// Whether it failed by its own doing.
    var worth = WorkerEnd.Worth.useless

    var description: String {
        pid.map { "worker \($0): \(reason)" } ?? "worker: \(reason)"
    }
}
