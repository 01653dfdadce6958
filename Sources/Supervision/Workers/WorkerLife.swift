import LinuxSystem
import WorkerProtocol

/// The workers of one mount, one after another, without any I/O: when one is started, killed, replaced, and when they are given up.
struct WorkerLife: Sendable {
    enum State: Hashable, Sendable {
        case none
        /// One is being given the connection.
        case starting
        case serving
        /// It was killed to be replaced; its end is not seen yet.
        case ending(ReplacementCause)
        /// Dead; the next one is started after a pause.
        case pausing
        /// Given up: nothing is answered but EIO.
        case quarantined
    }

    enum Step: Hashable, Sendable {
        case start
        case pause(Duration)
        case kill
        /// These requests are refused from now on.
        case refuse([InFlightRequest])
        case giveUp
        case reconnectCache
    }

    /// Replacements of useful workers: so many at once, then one every twentieth of a second.
    static let burst = 20
    static let interval: Duration = .milliseconds(50)
    /// Replacements of workers that somebody ended before they could be of use: so many at once, then one a second, and never given up.
    static let disturbedInterval: Duration = .seconds(1)

    private(set) var state = State.none
    private(set) var restarts = 0
    private(set) var lastCause: String?
    /// The last worker was of no use: the next one is no spare, and waits behind others.
    private(set) var isOnProbation = false
    /// The owner whose socket the next worker was given may be the one that ended.
    private var cacheIsNew = false
    private var pace = TokenBucket(burst: Self.burst, interval: Self.interval)
    private var disturbedPace = TokenBucket(burst: Self.burst, interval: Self.disturbedInterval)
    private var backoff = RestartBackoff()
    private var crashes = CrashLoopDetector()
    private var poison = PoisonLedger()

    /// What the next worker is told about requests that were in flight at earlier ends.
    var judged: [JudgedRequest] {
        poison.judged
    }

    /// The first worker of the mount.
    mutating func begin() -> [Step] {
        state = .starting
        return [.start]
    }

    /// Goes on where an earlier supervisor was: its worker serves, a new one is needed, or the mount was given up.
    mutating func adopt(_ found: State, restarts earlier: Int) -> [Step] {
        (state, restarts) = (found, earlier)
        switch found {
        case .starting:
            restarts += 1
            lastCause = "ended with an earlier supervisor"
            return [.start]
        case .quarantined:
            lastCause = "under an earlier supervisor"
            return []
        default:
            return []
        }
    }

    /// The connection has ended, or is about to: no worker is needed any more.
    mutating func release() {
        state = .none
    }

    mutating func served() -> [Step] {
        guard state == .starting else { return [] }
        state = .serving
        defer { cacheIsNew = false }
        return cacheIsNew ? [.reconnectCache] : []
    }

    /// A worker could not be started, or did not take over.
    mutating func refused(_ reason: String, _ worth: WorkerEnd.Worth = .useless, at now: Deadline) -> [Step] {
        guard state == .starting else { return [] }
        return lost(reason, worth, at: now)
    }

    mutating func ended(_ end: WorkerEnd, at now: Deadline) -> [Step] {
        switch state {
        case .serving, .starting:
            return judge(end, at: now)
        case .ending(.hung(let evidence)):
            var end = end
            end.hung = evidence
            return judge(end, at: now)
        case .ending(let cause):
            restarts += 1
            lastCause = cause.description
            state = .starting
            return [.start]
        case .none, .pausing, .quarantined:
            return []
        }
    }

    mutating func restartDue() -> [Step] {
        guard state == .pausing else { return [] }
        state = .starting
        return [.start]
    }

    /// Puts another worker in the place of the one that serves.
    mutating func replace(_ cause: ReplacementCause) -> [Step] {
        guard state == .serving else { return [] }
        state = .ending(cause)
        return [.kill]
    }

    /// Begins anew, whatever happened: nothing is remembered, and a new worker comes.
    mutating func reset() -> [Step] {
        pace = TokenBucket(burst: Self.burst, interval: Self.interval)
        disturbedPace = TokenBucket(burst: Self.burst, interval: Self.disturbedInterval)
        backoff = RestartBackoff()
        crashes = CrashLoopDetector()
        poison.clear()
        isOnProbation = false
        switch state {
        case .serving:
            state = .ending(.reset)
            return [.kill]
        case .pausing, .quarantined:
            state = .starting
            return [.start]
        case .none, .starting, .ending:
            return []
        }
    }

    mutating func cacheRestarted() -> [Step] {
        if state == .serving { return [.reconnectCache] }
        cacheIsNew = true
        return []
    }

    private func refusal(of requests: [InFlightRequest]) -> [Step] {
        requests.isEmpty ? [] : [.refuse(requests)]
    }

    private mutating func judge(_ end: WorkerEnd, at now: Deadline) -> [Step] {
        let refused = poison.note(end.inFlight, end.blame)
        return refusal(of: refused) + lost(end.cause, end.worth, at: now)
    }

    private mutating func lost(_ cause: String, _ worth: WorkerEnd.Worth, at now: Deadline) -> [Step] {
        restarts += 1
        lastCause = cause
        isOnProbation = worth == .useless
        let delay: Duration
        switch worth {
        case .useful:
            delay = pace.take(at: now)
        case .disturbed:
            delay = disturbedPace.take(at: now)
        case .useless:
            // A worker that did something, or could not, is worth another one; giving up costs the jobs errors.
            if crashes.noteEnd(at: now) {
                state = .quarantined
                return [.giveUp]
            }
            delay = backoff.next(at: now)
        }
        if delay == .zero {
            state = .starting
            return [.start]
        }
        state = .pausing
        return [.pause(delay)]
    }
}
