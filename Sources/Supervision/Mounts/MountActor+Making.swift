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
        // The first worker and the upper are made ready meanwhile.
        recruit = recruitWorker()
        let upper = makeUpper()
        Task {
            self.sealed = await self.environment.sealed?.lower(of: snapshot, owner: self.owner)
            self.isSealed = self.sealed != nil
            if self.isSealed { parameters.form = .trigger }
            let lower = await self.makeLower(parameters)
            do throws(SystemError) {
                // Whatever came of the lower: what was made is known when the mount is taken back.
                let (unwritten, made) = await upper.value()
                self.note(unwritten: unwritten)
                let upper = try made.get()
                (self.upperLayer, self.upperFilesystem) = (upper, upper.filesystem)
                let lower = try lower.get()
                self.lower = lower
                self.custody = lower.custody
                // Sent, not waited for: whoever is told that the mount is ready can rely on it.
                if self.machine.phase == .connecting { await self.keepDescriptors() }
                self.handle(.connected)
            } catch  where error.isLackOfSpace {
                self.handle(
                    .failed(
                        SupervisorError(.overloaded, "there is no room for another upper: \(error)", retryAfter: 30)))
            } catch {
                self.handle(.failed(SupervisorError(.mountFailed, "cannot begin the mount: \(error)")))
            }
        }
    }

    private func makeLower(_ parameters: SessionParameters) async -> Result<LowerMount, SystemError> {
        if let spare = environment.connections.take() {
            return Result { () throws(SystemError) in try LowerMount(spare, parameters) }
        }
        return await environment.mountThreads.run {
            Result { () throws(SystemError) in try LowerMount(LowerConnection.open(), parameters) }
        }
    }

    /// The first thing of the mount that outlives the supervisor: it has a record before it is there.
    private func makeUpper() -> PendingResult<(unwritten: SystemError?, made: Result<UpperLayer, SystemError>)> {
        let (stack, records, record) = (stack, environment.records, currentRecord())
        return environment.mountThreads.begin {
            (records.attempt(record), Result { () throws(SystemError) in try stack.makeUpper() })
        }
    }

    func buildStack() {
        guard let lower, let upperLayer else { return handle(.failed(Self.defect("no lower, or no upper"))) }
        if case .building(let succession) = standing { return succeed(succession, lower, upperLayer) }
        let (stack, sealed, probeName, description) = (stack, sealed, probeName, description)
        isAttaching = true
        let (records, record, requestedAt) = (environment.records, currentRecord(), requestedAt)
        Task {
            do throws(SystemError) {
                let (prepared, unwritten, attached) = try await self.environment.mountThreads.run {
                    () throws(SystemError) in
                    let prepared = try stack.prepare(
                        on: lower, sealed: sealed, upper: upperLayer, probeName: probeName, description: description)
                    // Before the mount can be seen: a supervisor that dies right after attaching leaves a mount that the next one knows.
                    let readyAfter = Deadline.now.since(requestedAt) / .milliseconds(1)
                    let unwritten = records.attempt(record?.attaching(prepared, readyAfter: readyAfter))
                    return (prepared, unwritten, Result { () throws(SystemError) in try stack.attach(prepared) })
                }
                self.overlay = prepared.identity
                self.made = prepared.made
                self.note(unwritten: unwritten)
                try attached.get()
                self.readyAfter = Deadline.now.since(requestedAt) / .milliseconds(1)
                self.handle(.stacked)
                // The overlay has its own clone of the lower now; ours would keep the connection alive after an unmount. After the answer, because
                // to close a mount takes as long as a step of making one.
                self.lower = nil
                self.sealed = nil
                self.upperLayer = nil
            } catch {
                self.isAttaching = false
                self.handle(.failed(Self.stackFailure(error, at: self.mountpoint.path)))
            }
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

    static func stackFailure(_ error: SystemError, at path: String) -> SupervisorError {
        switch error.errno {
        case .notEmpty:
            SupervisorError(.conflict, "the mountpoint \(path) is not empty", cause: error.description)
        case .crossDevice, .tooManyLinks, .notADirectory:
            SupervisorError(
                .invalidRequest, "the mountpoint \(path) leads through a link, a file or another mount",
                cause: error.description)
        default:
            SupervisorError(.mountFailed, "cannot make the mount: \(error)", cause: nil)
        }
    }
}

extension MountRecord {
    /// What is written right before a prepared mount is attached.
    fileprivate func attaching(_ prepared: MountStack.Prepared, readyAfter: Double) -> MountRecord {
        var record = self
        (record.phase, record.isAttaching, record.readyAfter) = (.ready, true, readyAfter)
        record.mountIdentity = prepared.identity.id
        (record.madeComponents, record.isMountpointLocked) = (prepared.made.components, prepared.made.isLocked)
        return record
    }
}
