import LinuxSystem
import WorkerProtocol

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
        /// The first worker is waited for, to be given the connection.
        case starting
        /// The first record is written, the upper made, the lower proved, the overlay stacked and attached. The worker may still be taking over: who asks it
        /// waits in the kernel.
        case stacking
        case ready
        /// Another view of the mount is about to take its place.
        case yielding
        /// Another view has its place; it serves those who still have it open.
        case retired
        case unmounting(Rung)
        /// The worker is ended, the mountpoint and the upper are taken away.
        case cleaning(Outcome)
        case gone(Outcome)
    }

    typealias Rung = UnmountReport.Rung

    /// How the mount's life ends.
    enum Outcome: Hashable, Sendable {
        case unmounted
        case failed(SupervisorError)
    }

    enum Event: Sendable {
        case start
        case pinned
        case connected
        /// The first worker is about to be given the connection.
        case handingOver
        case workerServing
        /// A worker could not be started or refused the connection.
        case workerFailed(String, WorkerEnd.Worth = .useless)
        case workerEnded(WorkerEnd)
        case restartDue
        /// Puts another worker in the place of the one that serves: it hangs, or a newer program is there.
        case replaceWorker(ReplacementCause)
        /// An operator wants a new worker and everything forgotten that was held against the earlier ones.
        case resetRequested
        case stacked
        /// The view that is complete is about to be put in the place of another: it is the mount from now on, whatever becomes of it.
        case placing
        /// A step of making the mount failed, or what an earlier supervisor left of it cannot be gone on with.
        case failed(SupervisorError)
        /// The time for making the mount is over.
        case deadlinePassed
        case unmountRequested(UnmountOptions)
        /// The plain unmount has been busy for a while.
        case busy
        /// Who holds the mount is known.
        case holdersFound(canBeKilled: Bool)
        case holdersKilled
        case unmounted
        /// The plain unmount stayed busy up to its limit.
        case stillBusy
        /// A step of ending the mount failed; the mount stays listed.
        case unmountFailed(SupervisorError)
        case cleaned
        /// Another view is complete and wants the place.
        case yield
        /// It did not come to that.
        case stayed
        /// Another view has the place.
        case superseded
        /// Nobody has the retired view open any more.
        case released
        case cacheRestarted
        /// An earlier supervisor made the mount: its worker serves, or a new one is needed (`.starting`), or it gave the mount up.
        case adopted(restarts: Int, worker: WorkerLife.State)
    }

    enum Action: Hashable, Sendable {
        case pin
        case connect
        case startWorker
        case scheduleRestart(Duration)
        case killWorker
        /// Tell that these requests are refused from now on.
        case refuse([InFlightRequest])
        /// Answer every request with EIO.
        case entomb
        /// Stop doing so.
        case exhume
        case buildStack
        case unmount(Rung)
        /// No more waiting for a busy mount.
        case hastenUnmount
        case findHolders
        case killHolders(atOnce: Bool)
        case abortConnection
        case reconnectCache
        case endWorkerAndCleanUp
        /// Note and show a new state.
        case publish(MountState)
        /// Answer those who wait for the mount.
        case answerReady(SupervisorError?)
        /// Answer those who wait for its end.
        case answerGone(SupervisorError?)
        /// Answer those who wait for the reset.
        case answerReset(SupervisorError?)
    }

    var phase = Phase.created
    /// The workers, one after another.
    var life = WorkerLife()
    /// The overlay is complete; where the phase is still `stacking`, the first worker has not said yet that it serves.
    private(set) var isStacked = false
    private var hasServed = false
    private(set) var hasPlace = false
    /// Asked for before the mount was ready.
    var unmountWanted: UnmountOptions?
    var ending = Ending()
    private var resetWanted = false
    var failure: SupervisorError?

    var worker: WorkerLife.State { life.state }
    var restarts: Int { life.restarts }
    var lastRestartCause: String? { life.lastCause }

    /// What the mount looks like from outside.
    var state: MountState {
        if worker == .quarantined, phase == .ready {
            return .quarantined(
                reason:
                    "its workers keep ending (\(lastRestartCause ?? "unknown")); reset it, or unmount it and mount again"
            )
        }
        return switch phase {
        case .created, .pinning, .connecting, .starting, .stacking: .provisioning
        case .ready: .ready
        case .yielding, .retired: .quiescing
        case .unmounting, .cleaning(.unmounted): .unmounting
        case .gone(.unmounted): .unmounted
        case .cleaning(.failed(let error)), .gone(.failed(let error)): .failed(reason: error.message)
        }
    }

    /// Whether a worker that is at hand now is still needed.
    var wantsWorker: Bool {
        switch phase {
        case .starting, .stacking, .ready, .yielding, .retired: worker == .starting
        case .created, .pinning, .connecting, .unmounting, .cleaning, .gone: false
        }
    }

    /// Whether a worker that ends now has to be replaced.
    var isServed: Bool {
        switch phase {
        case .starting, .stacking, .ready, .yielding, .retired:
            worker != .none && worker != .pausing && worker != .quarantined
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
            return advance(from: .connecting, to: .starting, []) { $0.actions(of: $0.life.begin()) }
        case .handingOver:
            return advance(from: .starting, to: .stacking, [.buildStack])
        case .stacked:
            return stacked()
        case .placing:
            hasPlace = phase == .stacking
            return []
        case .adopted(let earlier, let worker):
            guard phase == .created else { return [] }
            phase = .ready
            let actions = actions(of: life.adopt(worker, restarts: earlier))
            return worker == .quarantined ? [.entomb, .publish(state)] : [.publish(.ready)] + actions
        case .failed(let error):
            return fail(error)
        case .deadlinePassed:
            return deadlinePassed()
        case .workerServing, .workerFailed, .workerEnded, .restartDue, .replaceWorker, .resetRequested, .cacheRestarted:
            return handleWorker(event, at: now)
        case .yield, .stayed, .superseded, .released:
            return handleSuccession(event)
        case .unmountRequested, .busy, .holdersFound, .holdersKilled, .unmounted, .stillBusy, .unmountFailed, .cleaned:
            return handleEnd(event)
        }
    }

    static let endedEarly = SupervisorError(.conflict, "the mount was ended while it was being made")

    // MARK: Making the mount

    private mutating func advance(
        from: Phase, to: Phase, _ actions: [Action], then more: (inout MountMachine) -> [Action] = { _ in [] }
    ) -> [Action] {
        guard phase == from else { return [] }
        if unmountWanted != nil { return fail(Self.endedEarly) }
        phase = to
        return actions + more(&self)
    }

    private mutating func stacked() -> [Action] {
        isStacked = true
        // The abort came too late for the stacking thread, but the connection has ended.
        if phase == .stacking, let failure { return fail(failure) }
        return finish()
    }

    private mutating func finish() -> [Action] {
        guard phase == .stacking, isStacked, hasServed else { return [] }
        phase = .ready
        let ready: [Action] = [.publish(.mounted), .publish(.ready), .answerReady(nil)]
        return ready + (unmountWanted.map { beginUnmount($0) } ?? [])
    }

    mutating func fail(_ error: SupervisorError) -> [Action] {
        switch phase {
        case .created, .pinning, .connecting, .starting, .stacking:
            // The error that started the failure explains it, not the one the abort caused.
            let first = failure ?? error
            phase = .cleaning(.failed(first))
            return [.publish(.failed(reason: first.message)), .abortConnection, .endWorkerAndCleanUp]
        case .ready, .yielding, .retired, .unmounting, .cleaning, .gone:
            return []
        }
    }

    private mutating func deadlinePassed() -> [Action] {
        let error = SupervisorError(.timedOut, "the mount was not ready within its time")
        switch phase {
        case .stacking where hasPlace:
            return []
        case .stacking where !isStacked:
            // The stacking thread waits in the kernel; the abort frees it and it reports the failure.
            failure = error
            return [.abortConnection]
        case .created, .pinning, .connecting, .starting, .stacking:
            return fail(error)
        case .ready, .yielding, .retired, .unmounting, .cleaning, .gone:
            return []
        }
    }

    // MARK: The worker

    private mutating func handleWorker(_ event: Event, at now: Deadline) -> [Action] {
        switch event {
        case .workerServing:
            guard worker == .starting else { return [] }
            hasServed = true
            return actions(of: life.served()) + finishReset(nil)
                + advance(from: .starting, to: .stacking, [.buildStack]) + finish()
        case .workerFailed(let reason, let worth):
            return needsWorker ? actions(of: life.refused(reason, worth, at: now)) : releaseWorker()
        case .workerEnded(let end):
            // In the other phases the end of the worker is part of the end of the mount.
            return needsWorker ? actions(of: life.ended(end, at: now)) : releaseWorker()
        case .restartDue:
            return needsWorker ? actions(of: life.restartDue()) : []
        case .replaceWorker(let cause):
            return needsWorker ? actions(of: life.replace(cause)) : []
        case .resetRequested:
            return reset()
        case .cacheRestarted:
            return actions(of: life.cacheRestarted())
        default:
            return []
        }
    }

    private var needsWorker: Bool {
        switch phase {
        case .starting, .stacking, .ready, .yielding, .retired: true
        case .created, .pinning, .connecting, .unmounting, .cleaning, .gone: false
        }
    }

    private mutating func releaseWorker() -> [Action] {
        life.release()
        return []
    }

    mutating func actions(of steps: [WorkerLife.Step]) -> [Action] {
        steps.flatMap { step -> [Action] in
            switch step {
            case .start: [.startWorker]
            case .pause(let delay): [.scheduleRestart(delay)]
            case .kill: [.killWorker]
            case .refuse(let requests): [.refuse(requests)]
            case .reconnectCache: [.reconnectCache]
            case .giveUp: quarantine()
            }
        }
    }

    private mutating func quarantine() -> [Action] {
        let error = SupervisorError(
            .mountFailed, "the workers of this mount keep ending: \(lastRestartCause ?? "unknown")")
        switch phase {
        case .starting:
            return fail(error)
        case .stacking where isStacked:
            return fail(error)
        case .stacking where !hasPlace:
            failure = error
            return [.abortConnection]
        default:
            return [.entomb, .publish(state)] + finishReset(error)
        }
    }

    private mutating func reset() -> [Action] {
        guard phase == .ready else {
            return [.answerReset(SupervisorError(.conflict, "only a mount that is ready or quarantined can be reset"))]
        }
        let wasQuarantined = worker == .quarantined
        resetWanted = true
        let actions = actions(of: life.reset())
        return wasQuarantined ? [.exhume] + actions + [.publish(state)] : actions
    }

    mutating func finishReset(_ error: SupervisorError?) -> [Action] {
        defer { resetWanted = false }
        return resetWanted ? [.answerReset(error)] : []
    }
}
