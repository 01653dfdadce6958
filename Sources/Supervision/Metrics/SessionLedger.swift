import LinuxSystem
import WorkerProtocol

/// What workers have counted in the session memories of all mounts, of those that live and of those that are gone together: so that no sum
/// ever falls.
final class SessionLedger: Sendable {
    struct Totals: Sendable {
        var counts = SessionStatistics()
        /// Requests that the kernel sent again to a later worker.
        var resent: UInt64 = 0
        /// Lines of workers' logs that nobody has.
        var unloggedLines: UInt64 = 0
        /// Files and directories that workers had before a job asked, and those of them that one then did.
        var broughtAhead: UInt64 = 0
        var usedAhead: UInt64 = 0

        mutating func add(_ memory: SessionMemory) {
            counts += memory.counts
            resent &+= memory.value(.resent)
            unloggedLines &+= memory.value(.unlogged)
            broughtAhead &+= memory.value(.broughtAhead)
            usedAhead &+= memory.value(.usedAhead)
        }
    }

    private struct State {
        var past = Totals()
        var living: [ObjectIdentifier: SessionMemory] = [:]
    }

    private let state = Guarded(State())

    /// A mount has `new` in the place of `old`, in which nobody counts any more.
    func exchange(_ old: SessionMemory?, for new: SessionMemory?) {
        guard old !== new else { return }
        state.with { state in
            if let old, state.living.removeValue(forKey: ObjectIdentifier(old)) != nil { state.past.add(old) }
            if let new { state.living[ObjectIdentifier(new)] = new }
        }
    }

    var totals: Totals {
        state.with { state in
            var totals = state.past
            for memory in state.living.values { totals.add(memory) }
            return totals
        }
    }
}
