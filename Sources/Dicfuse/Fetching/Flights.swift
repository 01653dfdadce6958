import CacheProtocol
import LinuxSystem

/// Who waits: one request of one connection.
struct WaiterID: Hashable, Sendable {
    /// The connection, or 0 for the owner itself.
    var owner: UInt64
    var request: UInt64
}

/// Singleflight: at most one fetch for each key, however many wait for it.
///
/// A flight is under way, then landed (its value is known, but not yet in the index) and then forgotten; a failed one is
/// remembered for a moment, so that hundreds of readers of one object do not each try. A waiter that leaves or whose deadline
/// passes is answered or dropped; the flight goes on.
///
/// A state machine: no clock, no lock, no I/O. `Recipient` is whatever the caller answers with.
struct Flights<Key: Hashable & Sendable, Value: Sendable, Recipient: Sendable>: Sendable {
    struct Waiter: Sendable {
        let id: WaiterID
        let deadline: Deadline
        let recipient: Recipient
    }

    /// What the asker has to do.
    enum Joined: Sendable {
        /// Nobody fetches it: start.
        case start
        /// Somebody does. With `sooner`, this deadline is before all others: whoever watches them must look again.
        case waiting(sooner: Bool)
        /// The answer is known.
        case landed(Value)
        case failed(CacheError)
        /// This owner already waits under this number.
        case duplicate
        /// This owner waits for as much as it may.
        case tooMany
    }

    private enum State: Sendable {
        case flying([WaiterID: Waiter])
        case landed(Value)
        case failed(CacheError, until: Deadline)
    }

    private var states: [Key: State] = [:]
    /// What each owner's requests wait for.
    private var keys: [UInt64: [UInt64: Key]] = [:]
    private var failures = 0
    /// No deadline is earlier; it may be that none is so early any more.
    private(set) var earliestDeadline = Deadline.never
    private let memory: Duration
    private let limit: Int

    /// - Parameters:
    ///   - memory: for how long a failure is remembered.
    ///   - limit: requests of one owner that may wait at the same time; the cache owner's own (owner 0) are not limited.
    init(memory: Duration = .seconds(1), limit: Int = 1024) {
        self.memory = memory
        self.limit = limit
    }

    /// Flights under way.
    var flying: Int {
        states.count { if case .flying = $0.value { true } else { false } }
    }

    /// Flights that have landed and are not forgotten yet.
    var landed: Int {
        states.count { if case .landed = $0.value { true } else { false } }
    }

    /// Requests of `owner` that wait.
    func waiting(of owner: UInt64) -> Int {
        keys[owner]?.count ?? 0
    }

    var waiters: Int { keys.values.reduce(0) { $0 + $1.count } }

    mutating func join(_ key: Key, _ waiter: Waiter, now: Deadline) -> Joined {
        guard keys[waiter.id.owner]?[waiter.id.request] == nil else { return .duplicate }
        let isFull = waiter.id.owner != 0 && waiting(of: waiter.id.owner) >= limit
        switch states[key] {
        case .flying where isFull, nil where isFull:
            return .tooMany
        case .landed(let value):
            return .landed(value)
        case .failed(let error, let until) where until > now:
            return .failed(error)
        case .flying(var waiters):
            states[key] = nil
            waiters[waiter.id] = waiter
            states[key] = .flying(waiters)
            keys[waiter.id.owner, default: [:]][waiter.id.request] = key
            return .waiting(sooner: note(waiter.deadline))
        case .failed, nil:
            if case .failed = states[key] { failures -= 1 }
            states[key] = .flying([waiter.id: waiter])
            keys[waiter.id.owner, default: [:]][waiter.id.request] = key
            _ = note(waiter.deadline)
            return .start
        }
    }

    /// Joins only if nobody fetches it and no failure is remembered: then true, and the caller has to start.
    mutating func start(_ key: Key, _ waiter: Waiter, now: Deadline) -> Bool {
        switch states[key] {
        case .flying, .landed: return false
        case .failed(_, let until) where until > now: return false
        default: break
        }
        if case .start = join(key, waiter, now: now) { return true }
        return false
    }

    /// The fetch has succeeded: who is to be answered. The value stays answerable until `forget`.
    mutating func land(_ key: Key, _ value: Value) -> [Waiter] {
        let waiters = takeWaiters(of: key)
        states[key] = .landed(value)
        return waiters
    }

    /// The value is in the index, or nobody needs it any more.
    mutating func forget(_ key: Key) {
        if case .landed = states[key] { states[key] = nil }
    }

    /// The fetch has failed: who is to be told. Remembered until `now` plus the memory if `remember`.
    mutating func fail(_ key: Key, _ error: CacheError, now: Deadline, remember: Bool) -> [Waiter] {
        let waiters = takeWaiters(of: key)
        guard remember else { return waiters }
        states[key] = .failed(error, until: now.advanced(by: memory))
        failures += 1
        // Failures nobody asks about again are swept when they have become many.
        if failures > 4096 {
            states = states.filter { if case .failed(_, let until) = $0.value { until > now } else { true } }
            failures = states.values.count { if case .failed = $0 { true } else { false } }
        }
        return waiters
    }

    /// The asker took the request back. True if it waited.
    mutating func cancel(_ id: WaiterID) -> Bool {
        guard let key = remove(id), case .flying(var waiters) = states[key] else { return false }
        states[key] = nil
        waiters[id] = nil
        states[key] = .flying(waiters)
        return true
    }

    /// A connection is gone; its requests are forgotten, their flights go on.
    mutating func leave(owner: UInt64) {
        for request in (keys[owner] ?? [:]).keys { _ = cancel(WaiterID(owner: owner, request: request)) }
    }

    /// Removes and returns the waiters whose deadline has passed.
    mutating func expire(now: Deadline) -> [Waiter] {
        guard earliestDeadline <= now else { return [] }
        earliestDeadline = .never
        var expired: [Waiter] = []
        for (key, state) in states {
            guard case .flying(let waiters) = state else { continue }
            let late = waiters.values.filter { $0.deadline <= now }
            for waiter in waiters.values where waiter.deadline > now { _ = note(waiter.deadline) }
            guard !late.isEmpty else { continue }
            states[key] = .flying(waiters.filter { $0.value.deadline > now })
            for waiter in late { _ = remove(waiter.id) }
            expired += late
        }
        return expired
    }

    private mutating func remove(_ id: WaiterID) -> Key? {
        let key = keys[id.owner]?.removeValue(forKey: id.request)
        if keys[id.owner]?.isEmpty == true { keys[id.owner] = nil }
        return key
    }

    private mutating func takeWaiters(of key: Key) -> [Waiter] {
        guard case .flying(let waiters)? = states.removeValue(forKey: key) else { return [] }
        for id in waiters.keys { _ = remove(id) }
        return Array(waiters.values)
    }

    private mutating func note(_ deadline: Deadline) -> Bool {
        guard deadline < earliestDeadline else { return false }
        earliestDeadline = deadline
        return true
    }
}
