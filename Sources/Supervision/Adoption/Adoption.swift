import Glibc
import LinuxSystem

/// Goes on with what an earlier supervisor left: a mount whose connection somebody still holds is adopted, the others are ended.
/// What no record names is the sweeper's.
struct Adoption: Sendable {
    let records: RecordStore
    let launcher: WorkerLauncher
    let descriptors: HeldDescriptors
    let log: any SupervisorLog
    /// Makes the actor of a recorded view.
    let restore: @Sendable (MountRecord, MountID) async -> MountActor
    /// Takes in a mount by its current view; false if its id, job or mountpoint is in use.
    let register: @Sendable (MountActor) async -> Bool
    /// Takes in a further view of a mount.
    let registerView: @Sendable (MountActor) async -> Bool
    /// Forgets the actor of a mount that is gone.
    let forget: @Sendable (MountID) async -> Void
    /// Keeps the actor of a mount that is lost, to be shown.
    let retire: @Sendable (MountID) async -> Void

    /// What became of one record.
    private struct Outcome: Sendable {
        let id: MountID
        var mountpoint: String?
    }

    /// Throws only if the run directory cannot be read; one mount that cannot be adopted costs no other, and does not wait for one.
    func run() async throws(SystemError) {
        let all = try records.readAll(log: log)
        let current = all.filter { $0.bootID == records.bootID }
        for record in all where record.bootID != records.bootID { discard(record) }
        let outcomes = await withTaskGroup(of: Outcome?.self) { group in
            for (record, fate) in ViewPlan.fates(of: current, isAttached: Self.isAttached) {
                group.addTask {
                    switch fate {
                    case .asRecorded, .succeeded: await self.goOn(with: record)
                    case .takenBack: await self.takeBack(record)
                    case .retired(let isAttached): await self.goOn(withRetired: record, isAttached)
                    }
                }
            }
            return await group.reduce(into: [Outcome]()) { all, one in if let one { all.append(one) } }
        }
        let kept = Set(outcomes.filter { $0.mountpoint != nil }.map(\.id))
        await descriptors.cache.releaseAll(except: kept)
        await descriptors.cache.forgetSalvage()
        descriptors.store.releaseAll(except: kept)
        descriptors.store.closeInherited()
    }

    /// Nothing of it can be there but directories.
    private func discard(_ record: MountRecord) {
        log.log(
            .notice, "discarding a mount of an earlier boot",
            [("mount", record.id), ("job", record.request.jobID ?? "-")])
        let mountpoint = Mountpoint(root: record.mountpointRoot, name: record.mountpointName)
        do throws(SystemError) {
            try mountpoint.remove(
                Mountpoint.Made(components: record.madeComponents, isLocked: record.isMountpointLocked ?? false))
        } catch  where error.errno != .notFound {
            log.log(.warning, "cannot remove a mountpoint", [("path", mountpoint.path), ("error", "\(error)")])
        } catch {}
        if let id = MountID(rawValue: record.id) { records.remove(id) }
    }

    /// Of what was about to be attached and is not, no client has been told.
    private static func phase(of record: MountRecord) -> MountRecord.Phase {
        guard record.isAttaching == true, !(record.mountIdentity.map(isAttached) ?? false) else { return record.phase }
        return .making
    }

    private static func isAttached(_ identity: UInt64) -> Bool {
        (try? MountIdentity(id: identity).isAttached()) ?? false
    }

    /// A view that was being built and has no place.
    private func takeBack(_ record: MountRecord) async -> Outcome? {
        guard let mount = await view(of: record) else { return nil }
        log.log(.notice, "taking back an exchange of a changelist", [("mount", mount.mountID.rawValue)])
        await mount.abandonView(record, because: "the supervisor ended while the view was being made")
        return Outcome(id: mount.id)
    }

    /// A view that was succeeded: it lives while somebody has it open.
    private func goOn(withRetired record: MountRecord, _ isAttached: Bool) async -> Outcome? {
        guard let mount = await view(of: record) else { return nil }
        do throws(SystemError) {
            if isAttached, let identity = record.mountIdentity.map(MountIdentity.init) {
                let place = try MountPlace(of: identity, expectedAt: mount.mountpoint.path)
                if record.isFrozen == true { try FrozenView.thaw(place.root(of: identity)) }
                try place.detach()
            }
            let (custody, source, worker) = try await holdings(of: record, mount)
            await mount.adoptRetired(record, custody: custody, source: source, worker: worker)
            return Outcome(id: mount.id, mountpoint: mount.mountpoint.path)
        } catch {
            // Its connection ends with its last user.
            await mount.abandonView(record, because: "nobody uses it any more: \(error)")
            return Outcome(id: mount.id)
        }
    }

    private func view(of record: MountRecord) async -> MountActor? {
        guard let id = MountID(rawValue: record.id) else { return nil }
        let mount = await restore(record, id)
        return await registerView(mount) ? mount : nil
    }

    private func goOn(with record: MountRecord) async -> Outcome? {
        guard let id = MountID(rawValue: record.id) else { return nil }
        let mount = await restore(record, id)
        guard await register(mount) else {
            // Kept from the sweeper: what it is can only be found out by people.
            _ = await registerView(mount)
            log.log(.error, "a recorded mount is in the way of another; it is left as it is", [("mount", record.id)])
            return nil
        }
        switch Self.phase(of: record) {
        case .making:
            log.log(.notice, "taking back a mount that was being made", [("mount", record.id)])
            await mount.abandon(record, because: "the supervisor ended while the mount was being made")
            await forget(mount.mountID)
            return Outcome(id: id)
        case .failed:
            await lose(record, mount, record.failure ?? "it failed under an earlier supervisor")
            return Outcome(id: id)
        case .ready, .unmounting, .retired:
            return await adopt(record, mount)
        }
    }

    private func adopt(_ record: MountRecord, _ mount: MountActor) async -> Outcome {
        do throws(SystemError) {
            guard let identity = record.mountIdentity, try MountIdentity(id: identity).isAttached() else {
                throw SystemError(.notFound, "adopting a mount", mount.mountpoint.path, detail: "it is not mounted")
            }
            let (custody, source, worker) = try await holdings(of: record, mount)
            await mount.adopt(record, custody: custody, source: source, worker: worker)
            return Outcome(id: mount.id, mountpoint: mount.mountpoint.path)
        } catch {
            log.log(
                .error, "a mount of an earlier supervisor is lost",
                [("mount", record.id), ("job", record.request.jobID ?? "-"), ("error", error.description)])
            if record.phase == .unmounting {
                // It was to go anyway.
                await mount.abandon(record, because: "it was being unmounted")
                await forget(mount.mountID)
            } else {
                await lose(record, mount, "lost with an earlier supervisor: \(error)")
            }
            return Outcome(id: mount.id)
        }
    }

    /// The connection of a view, and its worker if that serves it.
    private func holdings(
        of record: MountRecord, _ mount: MountActor
    ) async throws(SystemError) -> (Custody, CustodySource, WorkerProcess?) {
        let recorded = livingWorker(of: record)
        let (custody, source) = try await descriptors.custody(of: record, id: mount.id, worker: recorded)
        // A worker that does not hold the connection was never given it.
        let worker = source == .worker ? connect(to: recorded, record) : nil
        if worker == nil { await end(recorded) }
        return (custody, source, worker)
    }

    /// Takes away what is left of it, and keeps the reason for the client.
    private func lose(_ record: MountRecord, _ mount: MountActor, _ reason: String) async {
        await mount.abandon(record, because: reason)
        await mount.keepFailure(record, because: reason)
        await retire(mount.mountID)
    }

    /// The recorded worker, unless it ended or its pid is another process's by now.
    private func livingWorker(of record: MountRecord) -> ChildProcess? {
        guard let recorded = record.worker?.identity, let process = try? ChildProcess(adopting: recorded.pid),
            process.identity == recorded
        else { return nil }
        return process
    }

    private func connect(to process: ChildProcess?, _ record: MountRecord) -> WorkerProcess? {
        guard let process, let socket = record.workerSocket else { return nil }
        do throws(SystemError) {
            return try launcher.adopt(process, socket: socket)
        } catch {
            log.log(
                .warning, "a worker cannot be reached; it is replaced",
                [("mount", record.id), ("pid", "\(process.pid)"), ("error", error.description)])
            return nil
        }
    }

    /// It must be gone before the next one has the kernel send its requests again.
    private func end(_ process: ChildProcess?) async {
        guard let process else { return }
        process.signal(SIGKILL)
        _ = await launcher.monitor.end(of: process)
    }
}
