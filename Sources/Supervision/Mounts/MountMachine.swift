import LinuxSystem

/// The life of one mount, without any I/O: events come in, actions go out. `MountActor` is the shell that carries them out.
///
/// Two things run side by side: the phase of the mount, and its worker, which can die in any phase once there is a connection.
struct MountMachine: Sendable {
    /// Where the mount is. What the shell owns in each phase is listed in ARCHITECTURE.md, "Life of a mount".
    enum Phase: Hashable, Sendable {
        case created
        /// The cache owner resolves revision and path.
        case pinning
        /// The FUSE connection is being opened and its handshake answered.
        case connecting
        /// The first worker is being given the connection.
        case starting
        /// The lower is proved, the overlay stacked and attached.
        case stacking
        case ready
        case unmounting(Rung)
        /// The worker is ended, the mountpoint and the upper are taken away.
        case cleaning(Outcome)
        case gone(Outcome)
    }

    /// Steps of the unmount ladder.
    enum Rung: Hashable, Sendable {
        /// umount2(2), repeated while it is busy, up to the limit.
        case plain
        /// Abort of the connection, then MNT_DETACH.
        case forced
    }

    /// How the mount's life ends.
    enum Outcome: Hashable, Sendable {
        case unmounted
        case failed(SupervisorError)
    }

    enum Worker: Hashable, Sendable {
        case none
        case starting
        case serving
        /// Dead; the next one is started after a pause.
        case pausing
        /// Given up: the connection was aborted.
        case quarantined
    }

    enum Event: Sendable {
        case start
        case pinned
        case connected
        case workerServing
        /// A worker could not be started or refused the connection.
        case workerFailed(String)
        /// `usefully`: it had answered requests of the kernel before.
        case workerEnded(ExitStatus, usefully: Bool)
        case restartDue
        case stacked
        /// A step of making the mount failed, or what an earlier supervisor left of it cannot be gone on with.
        case failed(SupervisorError)
        /// The time for making the mount is over.
        case deadlinePassed
        case unmountRequested
        case unmounted
        /// The plain unmount stayed busy up to its limit.
        case stillBusy
        /// A step of ending the mount failed; the mount stays listed.
        case unmountFailed(SupervisorError)
        case cleaned
        case cacheRestarted
        /// An earlier supervisor made the mount and its worker serves it.
        case adopted(restarts: Int)
    }

    enum Action: Hashable, Sendable {
        case pin
        case connect
        case startWorker
        case scheduleRestart(Duration)
        case buildStack
        case unmount(Rung)
        case abortConnection
        case reconnectCache
        case endWorkerAndCleanUp
        /// Note and show a new state.
        case publish(MountState)
        /// Answer those who wait for the mount.
        case answerReady(SupervisorError?)
        /// Answer those who wait for its end.
        case answerGone(SupervisorError?)
    }

    private(set) var phase = Phase.created
    private(set) var worker = Worker.none
    private(set) var restarts = 0
    private(set) var lastRestartCause: String?
    private var unmountWanted = false
    /// The owner whose socket the next worker was given may be the one that ended.
    private var cacheIsNew = false
    private var failure: SupervisorError?
    private var backoff = RestartBackoff()
    private var crashes = CrashLoopDetector()

    /// What the mount looks like from outside.
    var state: MountState {
        if worker == .quarantined, case .ready = phase {
            return .quarantined(
                reason: "its workers keep ending (\(lastRestartCause ?? "unknown")); unmount it and mount again")
        }
        return switch phase {
        case .created, .pinning, .connecting, .starting, .stacking: .provisioning
        case .ready: .ready
        case .unmounting, .cleaning(.unmounted): .unmounting
        case .gone(.unmounted): .unmounted
        case .cleaning(.failed(let error)), .gone(.failed(let error)): .failed(reason: error.message)
        }
    }

    /// Whether a worker that is at hand now is still needed.
    var wantsWorker: Bool {
        switch phase {
        case .starting, .stacking, .ready: worker == .starting
        case .created, .pinning, .connecting, .unmounting, .cleaning, .gone: false
        }
    }

    /// Takes an event at the moment `now`; the actions are to be carried out in order.
    mutating func handle(_ event: Event, at now: Deadline) -> [Action] {
        switch event {
        case .start:
            guard phase == .created else { return [] }
            phase = .pinning
            return [.publish(.provisioning), .pin]
        case .pinned:
            return advance(from: .pinning, to: .connecting, [.connect])
        case .connected:
            worker = .starting
            return advance(from: .connecting, to: .starting, [.startWorker])
        case .stacked:
            return stacked()
        case .adopted(let earlier):
            guard phase == .created else { return [] }
            (phase, worker, restarts) = (.ready, .serving, earlier)
            return [.publish(.ready)]
        case .failed(let error):
            return fail(error)
        case .deadlinePassed:
            return deadlinePassed()
        case .workerServing, .workerFailed, .workerEnded, .restartDue, .cacheRestarted:
            return handleWorker(event, at: now)
        case .unmountRequested, .unmounted, .stillBusy, .unmountFailed, .cleaned:
            return handleEnd(event)
        }
    }

    private static let endedEarly = SupervisorError(.conflict, "the mount was ended while it was being made")

    // MARK: Making the mount

    private mutating func advance(from: Phase, to: Phase, _ actions: [Action]) -> [Action] {
        guard phase == from else { return [] }
        if unmountWanted { return fail(Self.endedEarly) }
        phase = to
        return actions
    }

    private mutating func stacked() -> [Action] {
        guard phase == .stacking else { return [] }
        phase = .ready
        let ready: [Action] = [.publish(.mounted), .publish(.ready), .answerReady(nil)]
        return unmountWanted ? ready + beginUnmount() : ready
    }

    private mutating func fail(_ error: SupervisorError) -> [Action] {
        switch phase {
        case .created, .pinning, .connecting, .starting, .stacking:
            // The error that started the failure explains it, not the one the abort caused.
            let first = failure ?? error
            phase = .cleaning(.failed(first))
            return [.publish(.failed(reason: first.message)), .abortConnection, .endWorkerAndCleanUp]
        case .ready, .unmounting, .cleaning, .gone:
            return []
        }
    }

    private mutating func deadlinePassed() -> [Action] {
        let error = SupervisorError(.timedOut, "the mount was not ready within its time")
        switch phase {
        case .stacking:
            // The stacking thread waits in the kernel; the abort frees it and it reports the failure.
            failure = error
            return [.abortConnection]
        case .created, .pinning, .connecting, .starting:
            return fail(error)
        case .ready, .unmounting, .cleaning, .gone:
            return []
        }
    }

    // MARK: The worker

    private mutating func handleWorker(_ event: Event, at now: Deadline) -> [Action] {
        switch event {
        case .workerServing:
            guard worker == .starting else { return [] }
            worker = .serving
            let reconnect: [Action] = cacheIsNew ? [.reconnectCache] : []
            cacheIsNew = false
            return reconnect + advance(from: .starting, to: .stacking, [.buildStack])
        case .workerFailed(let reason):
            guard worker == .starting else { return [] }
            return lost(reason, usefully: false, at: now)
        case .workerEnded(let status, let usefully):
            guard worker == .serving || worker == .starting else { return [] }
            return lost(status.description, usefully: usefully, at: now)
        case .restartDue:
            guard worker == .pausing else { return [] }
            worker = .starting
            return [.startWorker]
        case .cacheRestarted:
            if worker != .serving { cacheIsNew = true }
            return worker == .serving ? [.reconnectCache] : []
        default:
            return []
        }
    }

    private mutating func lost(_ cause: String, usefully: Bool, at now: Deadline) -> [Action] {
        switch phase {
        case .starting, .stacking, .ready:
            restarts += 1
            lastRestartCause = cause
            // A worker that did something is worth another one, if ever more slowly; giving up costs the jobs errors.
            if !usefully, crashes.noteEnd(at: now) { return quarantine() }
            let delay = backoff.next(at: now)
            if delay == .zero {
                worker = .starting
                return [.startWorker]
            }
            worker = .pausing
            return [.scheduleRestart(delay)]
        case .created, .pinning, .connecting, .unmounting, .cleaning, .gone:
            // The end of the worker is part of the end of the mount.
            worker = .none
            return []
        }
    }

    private mutating func quarantine() -> [Action] {
        worker = .quarantined
        let error = SupervisorError(
            .mountFailed, "the workers of this mount keep ending: \(lastRestartCause ?? "unknown")")
        switch phase {
        case .starting:
            return fail(error)
        case .stacking:
            failure = error
            return [.abortConnection]
        default:
            return [.abortConnection, .publish(state)]
        }
    }

    // MARK: Ending the mount

    private mutating func handleEnd(_ event: Event) -> [Action] {
        switch (event, phase) {
        case (.unmountRequested, .ready):
            return beginUnmount()
        case (.unmountRequested, .created), (.unmountRequested, .pinning), (.unmountRequested, .starting):
            // These wait for other processes, an unmount must not.
            return fail(Self.endedEarly)
        case (.unmountRequested, .connecting):
            unmountWanted = true
            return []
        case (.unmountRequested, .stacking):
            if unmountWanted { return [] }
            unmountWanted = true
            failure = failure ?? Self.endedEarly
            // The stacking thread may wait for the origin, in the kernel; the abort frees it.
            return [.abortConnection]
        case (.unmounted, .unmounting):
            phase = .cleaning(.unmounted)
            return [.endWorkerAndCleanUp]
        case (.stillBusy, .unmounting(.plain)):
            phase = .unmounting(.forced)
            return [.unmount(.forced)]
        case (.unmountFailed(let error), .unmounting):
            // The mount is still there: it can be asked for again.
            phase = .ready
            return [.publish(state), .answerGone(error)]
        case (.cleaned, .cleaning(let outcome)):
            phase = .gone(outcome)
            switch outcome {
            case .unmounted: return [.publish(.unmounted), .answerGone(nil)]
            case .failed(let error): return [.answerReady(error), .answerGone(nil)]
            }
        default:
            return []
        }
    }

    private mutating func beginUnmount() -> [Action] {
        phase = .unmounting(.plain)
        return [.publish(.unmounting), .unmount(.plain)]
    }
}
