import CacheProtocol
import GitObjects
import LinuxSystem
import WorkerProtocol

/// How the mount comes to be: pin, connect, stack.
extension MountActor {
    func pin() {
        Task {
            do throws(SupervisorError) {
                let deadline = Deadline.after(self.environment.configuration.requestTimeout)
                let (cache, path) = (self.environment.cache, self.request.path)
                let revision = self.pinnedCommit ?? self.request.revision ?? ""
                if let changelist = self.request.changelist {
                    self.snapshot = try await cache.pin(
                        origin: self.origin, revision: revision, path: path, changelist: changelist, deadline: deadline)
                } else {
                    self.snapshot = try await cache.pin(
                        origin: self.origin, revision: revision, path: path, deadline: deadline)
                }
                self.after(self.provisioningTimeout, .deadlinePassed)
                self.handle(.pinned)
            } catch {
                self.handle(.failed(error))
            }
        }
    }

    func connect() {
        guard let snapshot else { return handle(.failed(Self.defect("no snapshot"))) }
        probeName = ".antares-probe-\(MountID.random())"
        var parameters = SessionParameters(
            root: snapshot.root, time: snapshot.commitTime, uid: owner.uid, gid: owner.gid, probeName: probeName,
            requestTimeout: environment.configuration.requestTimeout.nanoseconds,
            minimumRate: environment.configuration.minimumRate, changeTime: snapshot.change?.time)
        // The first worker is made ready meanwhile. Taken together, so that what both pools lack is made together.
        recruit = recruitWorker()
        let spare = environment.connections.take()
        Task {
            let sealed = await self.environment.sealed?.lower(of: snapshot, owner: self.owner)
            if sealed != nil { parameters.form = .trigger }
            do throws(SystemError) {
                let lower = try await self.makeLower(spare, parameters)
                // The mount may have been given up meanwhile.
                guard self.machine.phase == .connecting else { return }
                (self.lower, self.custody) = (lower, lower.custody)
                (self.sealed, self.isSealed) = (sealed, sealed != nil)
                self.handle(.connected)
            } catch {
                self.handle(.failed(SupervisorError(.mountFailed, "cannot begin the mount: \(error)")))
            }
        }
    }

    private func makeLower(
        _ spare: LowerConnection?, _ parameters: SessionParameters
    ) async throws(SystemError) -> LowerMount {
        if let spare { return try LowerMount(spare, parameters) }
        return try await environment.mountThreads.run { () throws(SystemError) in
            try LowerMount(LowerConnection.open(), parameters)
        }
    }

    func buildStack() {
        guard let lower else { return handle(.failed(Self.defect("no lower"))) }
        if case .building(let succession) = standing {
            succeed(succession, lower)
        } else {
            make(on: lower)
        }
        // Sent, not waited for. Behind what worker and mount thread wait for, and before the mount can be ready: this actor's jobs run in the order in which
        // they come.
        Task { if self.machine.phase == .stacking { await self.keepDescriptors() } }
    }

    private func make(on lower: LowerMount) {
        let making = MountMaking(
            stack: stack, lower: lower, sealed: sealed, probeName: probeName, description: description,
            records: environment.records, record: currentRecord(), requestedAt: requestedAt)
        isAttaching = true
        Task {
            let outcome = await self.environment.mountThreads.run { making.run() }
            for error in outcome.unwritten { self.note(unwritten: error) }
            self.upperFilesystem = outcome.filesystem
            if let prepared = outcome.prepared { (self.overlay, self.made) = (prepared.identity, prepared.made) }
            if let failure = outcome.failure {
                self.isAttaching = false
                return self.handle(.failed(failure))
            }
            self.readyAfter = Deadline.now.since(self.requestedAt) / .milliseconds(1)
            self.handle(.stacked)
            // The overlay has its own clone of the lower now; ours would keep the connection alive after an unmount. After the answer, because
            // to close a mount takes as long as a step of making one.
            self.lower = nil
            self.sealed = nil
        }
    }

    private var provisioningTimeout: Duration {
        guard case .building(let succession) = standing, succession.writes == .carry else {
            return MountEnvironment.provisioningTimeout
        }
        return MountEnvironment.provisioningTimeout + MountEnvironment.carryTimeout
    }

    var description: MountDescription {
        MountDescription(
            id: mountID.rawValue, job: request.jobID, build: request.buildID, origin: origin, path: request.path,
            revision: request.revision, commit: snapshot?.commit.hex, changelist: snapshot?.change?.name,
            lower: (isSealed ? MountStatus.Lower.sealed : .lazy).rawValue, mountpoint: mountpoint.path,
            createdAt: createdAt)
    }
}
