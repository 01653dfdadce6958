import Glibc
import LinuxSystem
import Probes
import WorkerProtocol

/// A view that gives its place to another, and lives on for those who have it open.
extension MountActor {
    /// Notes that a view is being built to take the place of this one. Throws `.conflict` if that cannot be now.
    func begin(_ succession: Succession, to changelist: ChangelistRequest?) throws(SupervisorError) {
        lastSeen = WallClock.milliseconds
        guard machine.phase == .ready else {
            throw SupervisorError(
                .conflict, "the changelist of a mount can be exchanged when it is ready; it is \(machine.state.name)")
        }
        guard successor == nil else {
            throw SupervisorError(.conflict, "another exchange of the mount's changelist is under way")
        }
        successor = succession
        exchange = SwitchReport(changelist: changelist?.name, startedAt: WallClock.milliseconds)
        exchangeBegan = .now
        record(.mountSwitching, details: [("cl", changelist?.name ?? "-")])
    }

    /// The next view could not be built, or did not get the place: the mount is as it was.
    func exchangeFailed(_ error: SupervisorError) {
        successor = nil
        exchange?.state = .failed(reason: error.message)
        exchange?.duration = exchangeBegan.map { Deadline.now.since($0) / .milliseconds(1) }
        record(.switchFailed, cause: error.message, duration: exchangeBegan.map { Deadline.now.since($0) })
    }

    /// Takes care that what the next view begins with stays true until it has the place. Throws `.conflict` if the job has written what the request has
    /// no answer for; then all is as it was.
    func yield(to succession: Succession) async throws(SupervisorError) {
        guard machine.phase == .ready, !succession.isCancelled else {
            throw SupervisorError(.conflict, "the mount is being ended")
        }
        if let facts = try? overlay?.facts() {
            target = HolderScan.Target(device: facts.device, tableID: facts.tableID)
        }
        // Before anything is held up: most of the time the answer is the same as after.
        if succession.writes == .refuse { try await refuseChanges() }
        try refuseSubmounts()
        guard machine.phase == .ready, !succession.isCancelled else {
            throw SupervisorError(.conflict, "the mount is being ended")
        }
        handle(.yield)
        do throws(SupervisorError) {
            switch succession.writes {
            case .refuse:
                try await freeze(succession)
                try await refuseChanges()
            case .carry: try await freezeForCarry(succession)
            case .discard: break
            }
        } catch {
            await stay()
            throw error
        }
    }

    /// The next view did not come to be.
    func stay() async {
        await thaw()
        successor = nil
        unusualCause = "the other view did not come to be"
        handle(.stayed)
        writeRecord()
    }

    /// The next view is in the place of this one.
    func superseded() -> Estate {
        standing = .retired
        let estate = Estate(
            made: made, createdAt: createdAt, readyAfter: readyAfter, lease: lease, client: client, exchange: exchange,
            exchangeBegan: exchangeBegan)
        if let client { environment.monitor.forget(client) }
        leaseAlarm?.cancel()
        (made, lease, client, leaseAlarm, successor) = (Mountpoint.Made(), nil, nil, nil, nil)
        retiredUntil = .after(environment.configuration.retiredViewLimit)
        handle(.superseded)
        return estate
    }

    /// From now on it ends with its last user, or when its time is over.
    func retire() async {
        // It may have ended meanwhile, with all that its record names.
        if machine.phase == .retired { writeRecord() }
        // After the exchange: who writes to the old view from now on had it open.
        await thaw()
        watchRetired()
    }

    /// Has an exchange that goes on come to one end or the other, as soon as that is possible: it does not begin if it has not yet.
    func settleExchange() async {
        successor?.cancel()
        guard case .building(let succession) = standing else { return }
        succession.cancel()
        // A few system calls.
        while succession.isCommitted, standing == .building(succession), machine.phase == .stacking {
            try? await Pause.sleep(for: .milliseconds(2))
        }
    }

    func watchRetired() {
        Task {
            while self.machine.phase == .retired {
                if self.custody?.isConnected != true { return self.handle(.released) }
                if self.retiredUntil?.hasPassed ?? true {
                    self.log(
                        .warning, "a view that was succeeded is still used; its time is over", [("view", "\(self.id)")])
                    return self.handle(.unmountRequested(UnmountOptions(force: true)))
                }
                try? await Pause.sleep(for: MountEnvironment.retiredLook)
            }
        }
    }

    /// Nothing is left of a retired view.
    func forgetView() {
        record(.viewEnded, details: [("view", id.rawValue)])
        let (id, ended) = (id, environment.viewEnded)
        Task { await ended(id) }
    }

    /// Who has this view open, after it was succeeded. Most of the time that is nobody, which the end of its connection tells at once.
    func remainingHolders() async -> HolderFinder.Result {
        guard let custody else { return HolderFinder.Result(isComplete: true) }
        let hasEnded = await environment.unmountThreads.run {
            custody.hasEnded(by: .after(MountEnvironment.superblockTimeout))
        }
        return hasEnded ? HolderFinder.Result(isComplete: true) : await holders()
    }

    private func holders() async -> HolderFinder.Result {
        guard let target else { return HolderFinder.Result() }
        return await environment.holders.holders(of: target)
    }

    /// What others have mounted in the view would go with it.
    private func refuseSubmounts() throws(SupervisorError) {
        let other: MountTable.Entry?
        do throws(SystemError) {
            let facts = try overlay?.facts()
            other = try MountTable.current().first { $0.parentID == facts?.tableID }
        } catch {
            throw SupervisorError(.mountFailed, "the mount table cannot be read: \(error)")
        }
        if let other { throw SupervisorError(.conflict, "\(other.mountPoint) is mounted in it: unmount that first") }
    }

    // MARK: Writes

    func freeze(_ succession: Succession) async throws(SupervisorError) {
        guard let overlay else { throw Self.defect("nothing is attached") }
        let stack = stack
        mayBeFrozen = true
        // Before it is: a supervisor that dies in between leaves one that has to be made writable again.
        writeRecord()
        let limit = Deadline.after(MountEnvironment.freezePatience)
        var pause = Duration.milliseconds(2)
        do throws(SystemError) {
            while true {
                // Apart from those that make mounts, which may wait for others' workers.
                frozen = try await environment.unmountThreads.run { () throws(SystemError) in
                    try FrozenView.freeze(stack.root(of: overlay))
                }
                if frozen != nil { return }
                if limit.hasPassed || succession.isCancelled { break }
                try? await Pause.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(50))
            }
        } catch {
            throw Self.placeFailure("cannot keep the mount from being written to", error)
        }
        let held = Self.describe(await holders().holders)
        throw SupervisorError(
            .conflict,
            "files of the mount are open for writing, or deleted and still open: let them be closed, or discard what was written"
                + (held.isEmpty ? "" : "; it is in use by \(held)"))
    }

    /// Somebody else's mount over it is theirs to take away.
    static func placeFailure(_ what: String, _ error: SystemError) -> SupervisorError {
        SupervisorError(error.errno == .busy ? .conflict : .mountFailed, "\(what): \(error)")
    }

    /// Makes the view writable again, also one that an earlier supervisor made read-only.
    func thaw() async {
        guard mayBeFrozen else { return }
        let (frozen, stack, overlay) = (frozen, stack, overlay)
        self.frozen = nil
        do throws(SystemError) {
            try await environment.unmountThreads.run { () throws(SystemError) in
                if let frozen { return try frozen.thaw() }
                if let overlay { try FrozenView.thaw(stack.root(of: overlay)) }
            }
            mayBeFrozen = false
        } catch {
            log(.error, "cannot make a view writable again", [("error", error.description)])
        }
    }
}
