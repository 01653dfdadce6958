import LinuxSystem

/// Why a request to a place failed. The raw values are the names in the status.
enum PlaceFailure: String, CaseIterable, Sendable {
    /// No connection.
    case unreachable
    /// Silence, or slower than the minimum rate.
    case timedOut
    /// It broke off.
    case interrupted
    /// HTTP 429, or 503 that says for how long.
    case throttled
    /// Another 5xx.
    case serverError
    /// Not what was asked for.
    case corrupt

    /// Whether the place as a whole seems to be down, not one answer to be bad.
    var isOutage: Bool {
        switch self {
        case .unreachable, .timedOut, .interrupted: true
        case .throttled, .serverError, .corrupt: false
        }
    }
}

/// Which of an origin's places to ask: the first one that is well. A place that fails loses points, which come back with time;
/// one that does not answer at all is left alone but for one request now and then, so that an outage is noticed once and not by
/// each reader.
///
/// A state machine: no clock, no lock, no I/O.
struct PlaceTable: Sendable {
    struct Place: Sendable {
        let base: String
        /// Failures, halved every `penaltyHalving`.
        fileprivate(set) var penalty = 0.0
        fileprivate var penaltySince = Deadline(nanoseconds: 0)
        /// Requests in a row that got no answer.
        fileprivate var outages = 0
        fileprivate var outageSince = Deadline(nanoseconds: 0)
        /// Left alone until then.
        fileprivate var brokenUntil: Deadline?
        fileprivate var isProbing = false
        fileprivate var pausedUntil = Deadline(nanoseconds: 0)
        fileprivate(set) var requests: UInt64 = 0
        fileprivate(set) var bytes: UInt64 = 0
        fileprivate(set) var failures: [PlaceFailure: UInt64] = [:]
        /// Moving average of the time to the end of an answer, in milliseconds.
        fileprivate(set) var latency = 0.0

        var isBroken: Bool { brokenUntil != nil }
    }

    enum Choice: Equatable, Sendable {
        case place(Int)
        /// Nothing can be asked now; look again then.
        case wait(until: Deadline)
        /// No place answers, and has not for longer than a restart takes.
        case offline(since: Deadline)
        /// Every place was tried.
        case exhausted
    }

    /// What changed for the log.
    enum Change: Equatable, Sendable {
        case placeFailed(Int)
        case placeRecovered(Int)
        case offline
        case online
    }

    private(set) var places: [Place]

    /// Requests without an answer after which a place is left alone.
    static let outagesToBreak = 3
    /// For so long after the outage began requests wait for the place to come back, as it does when it is restarted.
    static let grace = Duration.seconds(1)
    static let firstPause = Duration.milliseconds(250)
    static let longestPause = Duration.seconds(10)
    private static let penaltyHalving = 10e9

    init(_ bases: [String]) {
        places = bases.map { Place(base: $0) }
    }

    var isOffline: Bool { !places.isEmpty && places.allSatisfy(\.isBroken) }

    /// Since when nothing answers.
    var offlineSince: Deadline? {
        isOffline ? places.map(\.outageSince).max() : nil
    }

    /// The place to ask now, of those not in `tried`. A broken one whose pause is over is given to one asker: its probe. Every
    /// place that was given has to be answered for with `succeeded` or `failed`.
    mutating func choose(_ now: Deadline, tried: Set<Int> = []) -> Choice {
        let left = places.indices.filter { !tried.contains($0) }
        if left.isEmpty { return .exhausted }
        if let best = preferred(among: left, now) { return .place(best) }
        if let due = left.first(where: { (places[$0].brokenUntil ?? .never) <= now && !places[$0].isProbing }) {
            places[due].isProbing = true
            return .place(due)
        }
        if let paused = left.filter({ !places[$0].isBroken }).map({ places[$0].pausedUntil }).min() {
            return .wait(until: paused)
        }
        guard let since = offlineSince else { return .exhausted }
        guard since.advanced(by: Self.grace) > now else { return .offline(since: since) }
        let next = left.compactMap { places[$0].isProbing ? nil : places[$0].brokenUntil }.min()
        return .wait(until: min(next ?? .never, now.advanced(by: .milliseconds(100))))
    }

    /// The place that is well and would be asked first.
    func preferred(_ now: Deadline) -> Int? {
        preferred(among: Array(places.indices), now)
    }

    private func preferred(among indices: [Int], _ now: Deadline) -> Int? {
        indices.filter { !places[$0].isBroken && places[$0].pausedUntil <= now }
            .min { rank($0, now) < rank($1, now) }
    }

    /// Points lost, in halves, then the configured order.
    private func rank(_ index: Int, _ now: Deadline) -> (Int, Int) {
        (Int(penalty(of: index, now) * 2), index)
    }

    func penalty(of index: Int, _ now: Deadline) -> Double {
        let place = places[index]
        guard place.penalty > 0, now > place.penaltySince else { return place.penalty }
        var left = place.penalty
        var age = Double(now.nanoseconds - place.penaltySince.nanoseconds) / Self.penaltyHalving
        while age >= 1 && left > 0.01 {
            left /= 2
            age -= 1
        }
        return left * (1 - age.clamped / 2)
    }

    /// It answered; whether with what was asked for or with "there is none" is the same here.
    mutating func succeeded(_ index: Int, bytes: UInt64, took: Duration) -> [Change] {
        let wasOffline = isOffline
        let wasBroken = places[index].isBroken
        places[index].requests += 1
        places[index].bytes += bytes
        let milliseconds = Double(took.nanoseconds) / 1e6
        let old = places[index].latency
        places[index].latency = old == 0 ? milliseconds : old + (milliseconds - old) / 16
        answered(index)
        return (wasBroken ? [.placeRecovered(index)] : []) + (wasOffline ? [.online] : [])
    }

    private mutating func answered(_ index: Int) {
        places[index].outages = 0
        places[index].brokenUntil = nil
        places[index].isProbing = false
    }

    /// - Parameters:
    ///   - pause: for how long it asked to be left alone.
    ///   - chance: between 0 and 1, so that many owners do not come back at one moment.
    mutating func failed(
        _ index: Int, _ failure: PlaceFailure, bytes: UInt64 = 0, pause: Duration? = nil, now: Deadline,
        chance: Double = 1
    ) -> [Change] {
        let wasOffline = isOffline
        let wasBroken = places[index].isBroken
        places[index].requests += 1
        places[index].bytes += bytes
        places[index].failures[failure, default: 0] += 1
        places[index].penalty = penalty(of: index, now) + 1
        places[index].penaltySince = now
        if let pause { places[index].pausedUntil = max(places[index].pausedUntil, now.advanced(by: pause)) }
        guard failure.isOutage else {
            answered(index)
            return (wasBroken ? [.placeRecovered(index)] : []) + (wasOffline ? [.online] : [])
        }
        if places[index].outages == 0 { places[index].outageSince = now }
        // A failure of what was under way when it broke is no new one.
        guard !wasBroken || places[index].isProbing else { return [] }
        places[index].isProbing = false
        places[index].outages += 1
        guard places[index].outages >= Self.outagesToBreak else { return [] }
        let doublings = min(places[index].outages - Self.outagesToBreak, 8)
        let full = min(Self.firstPause * (1 << doublings), Self.longestPause)
        places[index].brokenUntil = now.advanced(by: full * (0.5 + chance / 2))
        return (wasBroken ? [] : [.placeFailed(index)]) + (isOffline && !wasOffline ? [.offline] : [])
    }
}

extension Deadline {
    /// Whole seconds from an earlier moment to this one.
    func seconds(since earlier: Deadline) -> Int64 {
        Int64((max(nanoseconds, earlier.nanoseconds) - earlier.nanoseconds) / 1_000_000_000)
    }
}

extension Double {
    fileprivate var clamped: Double { Swift.min(Swift.max(self, 0), 1) }
}
