import Glibc
import LinuxSystem
import WireFormat
import WorkerProtocol

/// Goes on with what an earlier supervisor left: mounts whose worker lives are adopted, everything else that is ours is taken away.
struct Adoption: Sendable {
    let records: RecordStore
    let launcher: WorkerLauncher
    let mountRoot: MountRoot
    let uppers: UpperStore
    let log: any SupervisorLog
    /// Makes the actor of a recorded mount and registers it.
    let restore: @Sendable (MountRecord, MountID) async -> MountActor?
    /// Forgets the actor of a mount that is gone.
    let forget: @Sendable (MountID) async -> Void

    /// Throws only if the run directory cannot be read; one mount that cannot be adopted costs no other.
    func run() async throws(SystemError) {
        var workers: Set<ProcessIdentity> = []
        var mountpoints: Set<String> = []
        var kept: Set<MountID> = []
        for record in try records.readAll(log: log) {
            guard let id = MountID(rawValue: record.id), let mount = await restore(record, id) else { continue }
            if let worker = await adopt(record, mount) {
                workers.insert(worker)
                mountpoints.insert(mount.mountpoint.path)
                kept.insert(id)
            } else {
                await forget(id)
            }
        }
        try endStrangers(except: workers)
        try detachLeftovers(except: mountpoints)
        do throws(SystemError) {
            try uppers.discardAll(except: kept)
            try mountRoot.removeDirectories(except: kept)
        } catch {
            log.log(.warning, "cannot take away what an earlier supervisor left", [("error", error.description)])
        }
    }

    private func adopt(_ record: MountRecord, _ mount: MountActor) async -> ProcessIdentity? {
        do throws(SystemError) {
            guard record.bootID == records.bootID else { throw SystemError(.stale, "adopting a mount of another boot") }
            guard let identity = record.mountIdentity, try MountIdentity(id: identity).isAttached() else {
                throw SystemError(.notFound, "adopting a mount", "", detail: "it was not attached")
            }
            guard let recorded = record.worker?.identity, let socket = record.workerSocket else {
                throw SystemError(.noSuchProcess, "adopting a mount", "", detail: "it had no worker")
            }
            let process = try ChildProcess(adopting: recorded.pid)
            guard process.identity == recorded else {
                throw SystemError(
                    .noSuchProcess, "adopting the worker", "\(recorded)", detail: "the pid is another process's")
            }
            let custody = try HeldDescriptors.custody(from: process)
            let worker = try launcher.adopt(process, socket: socket)
            await mount.adopt(record, custody: custody, worker: worker)
            return recorded
        } catch {
            log.log(
                .error, "a mount of an earlier supervisor is lost",
                [("mount", record.id), ("job", record.request.jobID ?? "-"), ("error", error.description)])
            await mount.abandon(record, because: error.description)
            return nil
        }
    }

    /// Ends recorded workers that serve no adopted mount: spares, and workers of mounts that were being made.
    private func endStrangers(except adopted: Set<ProcessIdentity>) throws(SystemError) {
        for socket in try ProcessRecord.sockets(in: launcher.socketDirectory) {
            if let process = ProcessRecord.livingProcess(socket: socket) {
                if adopted.contains(process.identity) { continue }
                log.log(.notice, "ending a worker of an earlier supervisor", [("pid", "\(process.pid)")])
                process.signal(SIGKILL)
            } else {
                Self.stopUnrecorded(socket)
            }
            ProcessRecord.remove(socket: socket)
        }
    }

    /// A supervisor that died between starting a worker and recording it left a spare, which does what it is told.
    private static func stopUnrecorded(_ socket: String) {
        guard let connection = try? MessageSocket(MessageSocket.connect(socket)) else { return }
        let header = MessageHeader(operation: WorkerOperation.stop.rawValue, id: 1)
        try? connection.send(header.message(WorkerControlRequest.stop.encode()))
    }

    /// Takes mounts of ours out of our mount root that no record names. Foreign mounts are left alone.
    private func detachLeftovers(except adopted: Set<String>) throws(SystemError) {
        for entry in try mountRoot.leftovers().reversed() {
            guard entry.type == "overlay", entry.source == "antares", !adopted.contains(entry.mountPoint) else {
                continue
            }
            log.log(.warning, "detaching a mount that no record names", [("path", entry.mountPoint)])
            try? Mounts.detach(entry.mountPoint)
        }
    }
}
