import LinuxSystem

/// One view of a mount taking the place of another: what the two have in common while it goes on.
final class Succession: Sendable {
    /// The view that has the place.
    let predecessor: MountActor
    let writes: SwitchRequest.Writes
    /// Makes a view the one that clients see.
    let promote: @Sendable (MountActor) async -> Void
    private let progress = Guarded(Progress())

    private struct Progress {
        var isCancelled = false
        var isCommitted = false
    }

    init(
        of predecessor: MountActor, writes: SwitchRequest.Writes,
        promote: @escaping @Sendable (MountActor) async -> Void
    ) {
        self.predecessor = predecessor
        self.writes = writes
        self.promote = promote
    }

    /// Somebody wants the mount to end: nothing of the exchange that has not happened yet is to happen.
    func cancel() {
        progress.with { $0.isCancelled = true }
    }

    var isCancelled: Bool {
        progress.with { $0.isCancelled }
    }

    /// The next step is the exchange itself; false if it is not to be.
    func commit() -> Bool {
        progress.with { progress in
            progress.isCommitted = !progress.isCancelled
            return progress.isCommitted
        }
    }

    var isCommitted: Bool {
        progress.with { $0.isCommitted }
    }
}

/// What passes from one view of a mount to the next, besides the place.
struct Estate: Sendable {
    var made: Mountpoint.Made
    var createdAt: Int64
    var readyAfter: Double?
    var lease: LeaseMachine?
    var client: ChildProcess?
    var exchange: SwitchReport?
    var exchangeBegan: Deadline?
}
