import WorkerProtocol

/// Which requests workers died of. Pure bookkeeping: who was in flight at each end, and how much the end says about it.
struct PoisonLedger: Sendable {
    /// How far the end of a worker accuses what it was working on.
    enum Blame: Int, Sendable {
        /// It was ended for another reason.
        case none = 0
        /// Somebody ended it from outside, or nobody knows: it may have met any request.
        case outside = 1
        /// It ended by itself: a fault, an abort, an exit, a deadlock.
        case own = 2
    }

    /// Two ends of its own, or four from outside: by chance the same request is hit twice when somebody kills every worker at its start.
    static let limit = 4

    private struct Suspect: Sendable {
        let request: InFlightRequest
        var blame: Int
    }

    /// The latest last.
    private var suspects: [Suspect] = []

    /// Notes what was in flight when a worker ended; the requests that are to be refused from now on. Two threads may have been at the same
    /// request, the reader that put its question and the one that has the answer: it is accused once.
    mutating func note(_ inFlight: [InFlightRequest], _ blame: Blame) -> [InFlightRequest] {
        guard blame != .none else { return [] }
        var refused: [InFlightRequest] = []
        for request in Set(inFlight.map(\.original)).sorted(by: { $0.unique < $1.unique }) {
            let known = suspects.firstIndex { $0.request == request }
            let before = known.map { suspects.remove(at: $0).blame } ?? 0
            let after = before + blame.rawValue
            suspects.append(Suspect(request: request, blame: after))
            if before < Self.limit, after >= Self.limit { refused.append(request) }
        }
        suspects.removeFirst(max(0, suspects.count - SessionMemory.judgedCapacity))
        return refused
    }

    /// What the next worker is told.
    var judged: [JudgedRequest] {
        suspects.map { JudgedRequest(unique: $0.request.unique, treatment: $0.blame >= Self.limit ? .refuse : .alone) }
    }

    mutating func clear() {
        suspects = []
    }
}
