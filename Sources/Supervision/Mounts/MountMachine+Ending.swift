/// How a mount ends: the rungs of the unmount ladder.
extension MountMachine {
    /// What is known of the end that is asked for.
    struct Ending: Hashable, Sendable {
        var options = UnmountOptions()
        /// Its holders are being looked for, or ended.
        var isSearching = false
    }

    mutating func handleEnd(_ event: Event) -> [Action] {
        switch (event, phase) {
        case (.unmountRequested(let options), .ready):
            return beginUnmount(options)
        case (.unmountRequested, .created), (.unmountRequested, .pinning), (.unmountRequested, .starting):
            // These wait for other processes, an unmount must not.
            return fail(Self.endedEarly)
        case (.unmountRequested(let options), .connecting):
            unmountWanted = options
            return []
        case (.unmountRequested, .stacking) where isStacked:
            return fail(Self.endedEarly)
        case (.unmountRequested(let options), .stacking):
            if unmountWanted != nil { return [] }
            unmountWanted = options
            if hasPlace { return [] }
            failure = failure ?? Self.endedEarly
            // The stacking thread may wait for the origin, in the kernel; the abort frees it.
            return [.abortConnection]
        case (.unmountRequested(let options), .yielding):
            unmountWanted = unmountWanted ?? options
            return []
        case (.unmountRequested, .retired):
            // Nothing is attached; the abort frees whoever waits in it.
            phase = .cleaning(.unmounted)
            return [.abortConnection, .endWorkerAndCleanUp]
        case (.unmountRequested(let options), .unmounting(.plain)):
            return hasten(options)
        case (.busy, .unmounting(.plain)):
            return search()
        case (.holdersFound(let canBeKilled), .unmounting(.plain)):
            ending.isSearching = canBeKilled && ending.options.kill
            return ending.isSearching ? [.killHolders(atOnce: ending.options.force)] : []
        case (.holdersKilled, .unmounting(.plain)):
            // They may have left children behind.
            ending.isSearching = false
            return search()
        case (.unmounted, .unmounting):
            phase = .cleaning(.unmounted)
            return [.endWorkerAndCleanUp]
        case (.stillBusy, .unmounting(.plain)):
            phase = .unmounting(.forced)
            return [.unmount(.forced)]
        case (.unmountFailed(let error), .unmounting):
            // The mount is still there: it can be asked for again.
            phase = .ready
            // A worker that ended meanwhile was not replaced.
            let begin = worker == .none ? actions(of: life.begin()) : []
            return [.publish(state), .answerGone(error)] + begin
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

    mutating func beginUnmount(_ options: UnmountOptions) -> [Action] {
        ending = Ending(options: options)
        let rung: Rung = options.force && !options.kill ? .forced : .plain
        phase = .unmounting(rung)
        let reset = finishReset(SupervisorError(.conflict, "the mount is being unmounted"))
        return reset + [.publish(.unmounting), .unmount(rung)]
    }

    /// Asked again while it is busy: somebody lost patience.
    private mutating func hasten(_ options: UnmountOptions) -> [Action] {
        let (killed, forced) = (ending.options.kill, ending.options.force)
        ending.options.kill = killed || options.kill
        ending.options.force = forced || options.force
        if options.kill, !killed { return search() }
        return options.force && !forced ? [.hastenUnmount] : []
    }

    private mutating func search() -> [Action] {
        if ending.isSearching { return [] }
        ending.isSearching = true
        return [.findHolders]
    }
}
