import CacheProtocol
import GitObjects
import LinuxSystem
import WorkerProtocol

/// What the mount tells operators: events and measurements.
extension MountActor {
    /// The end of a worker, until the next one serves.
    struct Interruption {
        let since: Deadline
        let reason: RestartReason
        let cause: String
    }

    func record(
        _ kind: SupervisionEvent.Kind, cause: String? = nil, duration: Duration? = nil,
        details: [(String, String)] = []
    ) {
        environment.events.record(
            kind, mount: mountID, job: request.jobKey, owner: owner.uid, cause: cause, duration: duration,
            details: details)
    }

    /// Why the mount comes to a state.
    func cause(of state: MountState) -> String {
        defer { unusualCause = nil }
        if let told = state.reason ?? unusualCause { return told }
        return switch state {
        case .provisioning: "asked for, for user \(owner.uid)"
        case .mounted: "the tree is at its place"
        case .ready: isAdopted ? "adopted from an earlier supervisor" : "made"
        case .quiescing: "another view is to take its place"
        case .unmounting, .unmounted: endCause ?? "it has ended"
        case .failed(let reason), .quarantined(let reason): reason
        }
    }

    /// A transition; the duration is that of the state before.
    func note(_ state: MountState, because cause: String) {
        let now = Deadline.now
        let before = now.since(stateSince)
        stateSince = now
        switch state {
        case .provisioning:
            record(
                .mountProvisioning, cause: cause,
                details: [("path", request.path), ("revision", request.revision ?? "HEAD")])
        case .mounted:
            record(.mountMounted, cause: cause, duration: before, details: [("mountpoint", mountpoint.path)])
        case .ready:
            // An adopted mount was not made now.
            let made = isAdopted ? nil : now.since(requestedAt)
            if let made { environment.metrics.mountLatency.observe(isSealed ? .sealed : .lazy, made) }
            if let made { noteIfSlow(.mount, made) }
            record(.mountReady, cause: cause, duration: made, details: [("commit", snapshot?.commit.hex ?? "-")])
        case .quiescing:
            record(.mountQuiescing, cause: cause, duration: before)
        case .unmounting:
            unmountingSince = now
            record(.mountUnmounting, cause: cause, duration: before)
        case .unmounted:
            let taken = unmountingSince.map { now.since($0) }
            if let taken { noteIfSlow(.unmount, taken) }
            let report = progress?.report ?? UnmountReport()
            if let taken { environment.metrics.unmountLatency.observe(UnmountRungLabel(report), taken) }
            record(
                .mountUnmounted, cause: cause, duration: taken,
                details: [
                    ("rung", report.rung.rawValue), ("holders", Self.describe(report.holders)),
                    ("pinned_elsewhere", "\(report.pinnedElsewhere)"),
                ])
        case .failed:
            environment.metrics.mountLatency.observe(.failed, now.since(requestedAt))
            noteIfSlow(.mount, now.since(requestedAt))
            record(.mountFailed, cause: cause, duration: now.since(requestedAt))
        case .quarantined:
            record(.mountQuarantined, cause: cause, duration: before)
        }
    }

    private func noteIfSlow(_ operation: SlowOperation, _ duration: Duration) {
        let limit = environment.configuration.slowOperation
        guard limit > .zero, duration > limit else { return }
        environment.metrics.slowOperations.add(operation)
        log(
            .warning, "slow \(operation.rawValue)",
            [("duration_ms", "\(Int(duration / .milliseconds(1)))"), ("limit", "\(limit)")])
    }

    /// A worker that has to be replaced: it ended, or could not take over. The gap lasts from the first such end to the next that serves.
    func noteInterruption(
        _ reason: RestartReason, cause: String, at moment: Deadline, _ worker: WorkerProcess? = nil
    ) {
        environment.metrics.workerRestarts.add(reason)
        record(
            reason == .refused ? .workerRefused : .workerEnded, cause: cause,
            details: [("reason", reason.rawValue)] + (worker.map { [("pid", "\($0.pid)")] } ?? []))
        if interruption == nil { interruption = Interruption(since: moment, reason: reason, cause: cause) }
    }

    /// A worker serves: the first one, or one that ends an interruption.
    func noteServing(_ worker: WorkerProcess) {
        guard let interruption else { return }
        self.interruption = nil
        let gap = Deadline.now.since(interruption.since)
        environment.metrics.takeoverGap.observe(interruption.reason, gap)
        record(
            .takeover, cause: interruption.cause, duration: gap,
            details: [
                ("reason", interruption.reason.rawValue), ("pid", "\(worker.pid)"),
                ("waiting", "\(custody?.waiting ?? 0)"), ("restarts", "\(machine.restarts)"),
            ])
    }
}
