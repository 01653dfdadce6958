import LinuxSystem
import Probes
import WorkerProtocol

/// The end of a mount that nobody asks for: its time is over, nobody uses it, or its client is gone.
extension MountActor {
    /// From `Ready` on. Nothing runs and nothing wakes up for a mount without a lease.
    func beginLease() {
        guard let lease = request.lease else { return }
        if self.lease != nil { return schedule() }
        inheritLease(LeaseMachine(lease, now: .now, served: served, expiresAt: nil), client)
    }

    /// Goes on with the lease of a mount of an earlier supervisor.
    func restoreLease(expiresAt: Deadline?, _ client: ChildProcess?) {
        guard let lease = request.lease else { return }
        inheritLease(LeaseMachine(lease, now: .now, served: served, expiresAt: expiresAt), client)
    }

    /// Begins the lease anew. Throws `.conflict` for a mount that has none, or is ending.
    func renew(timeToLive: Int?) throws(SupervisorError) {
        lastSeen = WallClock.milliseconds
        guard lease != nil else {
            throw SupervisorError(
                .conflict,
                "mount \(mountID) has no lease to renew: one is given by ttl or idle_ttl when a mount is made")
        }
        guard machine.phase == .ready || machine.phase == .yielding else {
            throw SupervisorError(
                .conflict, "the lease of mount \(mountID) cannot be renewed: it is \(machine.state.name)")
        }
        lease?.renew(now: .now, timeToLive: timeToLive)
        writeRecord()
        schedule()
    }

    /// Seconds until the time to live is over; nil without one.
    var leaseLeft: Double? {
        lease?.expiresAt.map { Double($0.remaining.nanoseconds) / 1e9 }
    }

    private var served: UInt64 {
        custody?.memory.value(.served) ?? 0
    }

    private func schedule() {
        leaseAlarm?.cancel()
        guard let next = lease?.next else { return }
        leaseAlarm = Task {
            try? await Pause.sleep(for: next.remaining)
            if !Task.isCancelled { self.leaseDue() }
        }
    }

    private func leaseDue() {
        guard machine.phase == .ready, let action = lease?.due(now: .now, served: served) else { return }
        carryOut(action)
    }

    private func carryOut(_ action: LeaseMachine.Action) {
        switch action {
        case .wait: schedule()
        case .end(let cause): end(because: cause)
        case .lookForHolders:
            Task {
                let found = await self.isHeld()
                guard self.machine.phase == .ready, let action = self.lease?.holdersFound(found, now: .now) else {
                    return
                }
                self.carryOut(action)
            }
        }
    }

    /// A search that could not be made, or was cut off, counts as a holder: nobody's work is ended for a doubt.
    private func isHeld() async -> Bool {
        guard let facts = try? overlay?.facts() else { return true }
        let target = HolderScan.Target(device: facts.device, tableID: facts.tableID)
        let result = await environment.holders.holders(of: target)
        return !result.isComplete || !result.holders.isEmpty
    }

    /// Goes on with the lease of the view before.
    func inheritLease(_ lease: LeaseMachine?, _ client: ChildProcess?) {
        (self.lease, self.client) = (lease, client)
        schedule()
        if let client { watch(client) }
    }

    private func watch(_ client: ChildProcess) {
        let executor = environment.executor
        environment.monitor.whenEnded(client) { _ in
            executor.run {
                self.assumeIsolated { $0.end(because: "the client it is bound to, \(client.identity), has ended") }
            }
        }
    }

    /// The mount has ended: nothing of the lease remains.
    func endLease() {
        leaseAlarm?.cancel()
        leaseAlarm = nil
        if let client { environment.monitor.forget(client) }
        client = nil
    }

    /// Binds a mount that is being made to the process that asked for it.
    func bind(to process: ChildProcess) {
        if client == nil, lease == nil { client = process }
    }

    func end(because cause: String) {
        // An exchange of the changelist is about to end one way or the other.
        if machine.phase == .yielding { return after(.milliseconds(50)) { $0.end(because: cause) } }
        guard machine.phase == .ready, standing == .current else { return }
        log(.notice, "the lease is over", [("cause", cause)])
        record(.leaseEnded, cause: cause)
        let (id, ended) = (mountID, environment.ended)
        Task {
            do throws(SupervisorError) {
                try await self.unmount(because: "the lease is over: \(cause)")
                await ended(id)
            } catch {
                self.log(.error, "cannot unmount at the end of the lease", [("error", error.description)])
                // Tried again: the mount has nobody who would.
                self.after(.seconds(30)) { $0.end(because: cause) }
            }
        }
    }
}
