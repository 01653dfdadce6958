import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem
import WorkerProtocol

/// What the mount leaves for a later supervisor, and how that one goes on with it.
extension MountActor {
    /// Goes on with a mount of an earlier supervisor; without a worker the next one takes over at once.
    func adopt(_ record: MountRecord, custody: Custody, source: CustodySource, worker: WorkerProcess?) async {
        restore(record)
        self.custody = custody
        self.worker = worker
        isSealed = (try? custody.memory.parameters())?.form == .trigger
        isAdopted = true
        await holdUpper()
        if standing == .current { environment.metrics.mountsAdopted.add(.adopted) }
        self.record(
            .mountAdopted,
            details: [("worker", worker.map { "\($0.pid)" } ?? "-"), ("descriptors_from", source.rawValue)])
        let isQuarantined = worker == nil && custody.memory.isQuarantined
        if worker == nil {
            custody.memory.clearInFlight()
            if !isQuarantined {
                noteInterruption(.unknown, cause: "the worker ended with the earlier supervisor", at: .now)
            }
        }
        handle(
            .adopted(
                restarts: record.restarts, worker: worker != nil ? .serving : isQuarantined ? .quarantined : .starting))
        await keepDescriptors()
        if worker == nil { holdSoon() }
        if let worker {
            servingSince = .now
            watch(worker)
            watchHealth()
        }
        guard standing == .current else { return handle(.cacheRestarted) }
        if mayBeFrozen {
            // An exchange was under way that will not be finished.
            await thaw()
            writeRecord()
        }
        let process = record.client.flatMap { try? ChildProcess(adopting: $0.pid) }
        restoreLease(
            expiresAt: record.leaseExpiresAt.map { Deadline(nanoseconds: $0) },
            process?.identity == record.client?.identity ? process : nil)
        if request.lease?.isBoundToClient == true, client == nil { end(because: "the client it is bound to has ended") }
        // The cache owner may be a new one.
        handle(.cacheRestarted)
        if record.phase == .unmounting {
            endCause = "an earlier supervisor was about to"
            handle(.unmountRequested(UnmountOptions()))
        }
    }

    /// Takes hold of the filesystem of an image again. Without it the unmount takes longer, because the kernel then writes out what nobody wants.
    private func holdUpper() async {
        let stack = stack
        do throws(SystemError) {
            upperFilesystem = try await environment.mountThreads.run { () throws(SystemError) in
                try UpperFilesystem.inUse(image: stack.upper.imagePath)
            }
        } catch {
            log(.warning, "cannot take hold of the upper's image", [("error", error.description)])
        }
    }

    /// Whether the next supervisor can go on with it, or show it, as it is now.
    var canBeLeft: Bool {
        switch machine.phase {
        case .ready, .retired, .gone: true
        default: false
        }
    }

    /// Leaves copies of the descriptors with those who outlive this process.
    func keepDescriptors() async {
        guard let custody else { return }
        environment.store.deposit(id, custody)
        let image = isSealed ? snapshot.map { ImageReference($0) } : nil
        await environment.cache.deposit(id, custody, image: image)
    }

    func releaseDescriptors() async {
        environment.store.release(id)
        await environment.cache.release(id)
    }

    /// Takes away what is left of a mount of an earlier supervisor that cannot be gone on with.
    func abandon(_ record: MountRecord, because reason: String) async {
        restore(record)
        if standing == .current {
            environment.metrics.mountsAdopted.add(.lost)
            self.record(.mountLost, cause: reason)
        }
        let error = SupervisorError(.mountFailed, reason)
        _ = await withCheckedContinuation { continuation in
            goneWaiters.append(continuation)
            handle(.failed(error))
        }
    }

    /// What is left of a lost mount is its reason, until a client has taken it away.
    func keepFailure(_ record: MountRecord, because reason: String) {
        var record = record
        record.phase = .failed
        record.failure = reason
        (record.madeComponents, record.mountIdentity, record.connection, record.personality) = ([], nil, nil, nil)
        (record.worker, record.workerSocket) = (nil, nil)
        note(unwritten: environment.records.attempt(record))
    }

    func restore(_ record: MountRecord) {
        createdAt = record.createdAt
        readyAfter = record.readyAfter
        snapshot = record.snapshot
        replaced = record.replaces.flatMap { MountID(rawValue: $0) }
        pinnedCommit = record.pinnedCommit
        mayBeFrozen = record.isFrozen == true
        made = Mountpoint.Made(components: record.madeComponents, isLocked: record.isMountpointLocked ?? false)
        for component in made.components { environment.directories.insert(mountpoint.root + "/" + component) }
        overlay = record.mountIdentity.map { MountIdentity(id: $0) }
    }

    /// Notes what a later supervisor needs. A mount whose record cannot be written works all the same.
    func writeRecord() {
        note(unwritten: environment.records.attempt(currentRecord()))
    }

    /// Nil if there is nothing to note: no snapshot yet, or nothing left of the mount.
    func currentRecord() -> MountRecord? {
        guard let snapshot, !isRecordGone else { return nil }
        return MountRecord(
            phase: intent, failure: nil, bootID: environment.records.bootID, id: id.rawValue,
            mountID: mountID == id ? nil : mountID.rawValue, replaces: replaced?.rawValue,
            isFrozen: mayBeFrozen ? true : nil, retiredUntil: retiredUntil?.nanoseconds,
            pinnedCommit: pinnedCommit, request: request,
            origin: origin,
            mountpointRoot: mountpoint.root, mountpointName: mountpoint.name, madeComponents: made.components,
            isMountpointLocked: made.isLocked,
            uid: owner.uid, gid: owner.gid, createdAt: createdAt, readyAfter: readyAfter, commit: snapshot.commit.hex,
            commitTime: snapshot.commitTime, root: Data(snapshot.root.bytes).base64EncodedString(),
            rootKind: snapshot.root.kind.rawValue, assurance: snapshot.assurance.rawValue,
            change: snapshot.change.map(MountRecord.Change.init), mountIdentity: overlay?.id,
            connection: custody?.connection.number,
            personality: custody?.memory.personality, worker: worker.map { MountRecord.Process($0.process.identity) },
            workerSocket: worker?.socketPath, restarts: machine.restarts,
            client: client.map { MountRecord.Process($0.identity) }, leaseExpiresAt: lease?.expiresAt?.nanoseconds)
    }

    /// What a later supervisor is to do with the mount as it is now.
    private var intent: MountRecord.Phase {
        switch machine.phase {
        case .created, .pinning, .connecting, .starting, .stacking, .cleaning(.failed), .gone(.failed): .making
        case .ready, .yielding: .ready
        case .retired: .retired
        case .unmounting, .cleaning(.unmounted), .gone(.unmounted): .unmounting
        }
    }

    func note(unwritten error: SystemError?) {
        guard let error else { return }
        log(.error, "cannot write the mount's record", [("error", error.description)])
    }
}
