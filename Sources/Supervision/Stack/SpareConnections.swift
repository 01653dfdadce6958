import LinuxSystem

/// FUSE connections that are opened ahead, as many as there are spare workers, so that a mount does not wait for its own.
final class SpareConnections: Sendable {
    private struct State {
        var connections: [LowerConnection] = []
        var target: Int
        var isRefilling = false
        var isStopped = false

        var lacks: Bool { !isStopped && connections.count < target }
    }

    private let state: Guarded<State>
    private let threads: BlockingThreads

    init(target: Int, threads: BlockingThreads) {
        state = Guarded(State(target: target))
        self.threads = threads
    }

    var count: Int {
        state.with { $0.connections.count }
    }

    /// One that is still connected; nil if there is none, and the caller opens its own. Never blocks. Whoever takes the mount's worker has what is
    /// missing opened (`SparePool`).
    func take() -> LowerConnection? {
        let (taken, aborted) = state.with { state -> (LowerConnection?, [LowerConnection]) in
            var aborted: [LowerConnection] = []
            while let next = state.connections.popLast() {
                if next.isConnected { return (next, aborted) }
                aborted.append(next)
            }
            return (nil, aborted)
        }
        letGo(of: aborted)
        return taken
    }

    /// Opens what is missing, apart from the caller.
    func refill() {
        let begins = state.with { state -> Bool in
            guard state.lacks, !state.isRefilling else { return false }
            state.isRefilling = true
            return true
        }
        if begins { threads.submit { self.open() } }
    }

    /// Keeps another number from now on.
    func retarget(_ count: Int) {
        let surplus = state.with { state -> [LowerConnection] in
            state.target = count
            defer { state.connections.removeLast(max(0, state.connections.count - count)) }
            return Array(state.connections.dropFirst(count))
        }
        letGo(of: surplus)
        refill()
    }

    /// Lets go of all; none is opened any more.
    func stop() {
        let all = state.with { state -> [LowerConnection] in
            defer { (state.connections, state.isStopped) = ([], true) }
            return state.connections
        }
        letGo(of: all)
    }

    private func open() {
        while lacksOne() {
            // Whatever is missing, the mount that opens its own will say so.
            guard let next = try? LowerConnection.open() else { return state.with { $0.isRefilling = false } }
            state.with { state in
                if state.lacks { state.connections.append(next) }
            }
        }
    }

    /// When nothing is missing, whoever finds something missing from then on begins anew.
    private func lacksOne() -> Bool {
        state.with { state in
            state.isRefilling = state.lacks
            return state.isRefilling
        }
    }

    /// To close a mount takes as long as to make one.
    private func letGo(of connections: [LowerConnection]) {
        if !connections.isEmpty { threads.submit { withExtendedLifetime(connections) {} } }
    }
}
