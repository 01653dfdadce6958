import LinuxSystem

/// The last events, in memory, and those who follow them.
///
/// The ring is the only buffer: a subscriber holds a position in it, so any number of slow ones costs no memory. One that falls behind by
/// more than the ring is told so.
public final class EventLog: Sendable {
    /// Some events that follow each other.
    public struct Batch: Hashable, Sendable {
        public let events: [SupervisionEvent]
        /// Whether there were events between the asked position and the first of these that are not kept any more.
        public let isGapBefore: Bool
    }

    /// Events that are kept.
    public static let capacity = 4096
    /// Events of one batch.
    public static let maximumBatch = 256

    private struct State {
        var ring: [SupervisionEvent] = []
        /// Where the oldest event is, once the ring is full.
        var head = 0
        var nextID: UInt64
        var subscribers: [UInt64: AsyncStream<Bool>.Continuation] = [:]
        var nextSubscriber: UInt64 = 0
        var isFinished = false
    }

    private let capacity: Int
    private let state: Guarded<State>
    private let counts: CounterFamily<SupervisionEvent.Kind>

    /// - Parameter firstID: The default is the present microsecond, so that ids grow from one supervisor to the next.
    init(
        counting counts: CounterFamily<SupervisionEvent.Kind>, capacity: Int = EventLog.capacity,
        firstID: UInt64 = UInt64(max(0, WallClock.milliseconds)) * 1000 + 1
    ) {
        self.capacity = capacity
        self.counts = counts
        state = Guarded(State(nextID: firstID))
    }

    /// A log of its own, for services that are not the supervisor.
    public convenience init() {
        self.init(counting: Metrics().events)
    }

    /// Notes an event and wakes the subscribers. From any thread; never waits for anybody who reads.
    public func record(
        _ kind: SupervisionEvent.Kind, mount: MountID? = nil, job: String? = nil, owner: UInt32? = nil,
        cause: String? = nil, duration: Duration? = nil, details: [(String, String)] = []
    ) {
        let time = WallClock.milliseconds
        let details = details.map { SupervisionEvent.Detail($0.0, $0.1) }
        counts.add(kind)
        let subscribers = state.with { state in
            let event = SupervisionEvent(
                id: state.nextID, time: time, kind: kind, mount: mount, job: job, owner: owner, cause: cause,
                duration: duration,
                details: details)
            state.nextID += 1
            if state.ring.count < capacity {
                state.ring.append(event)
            } else {
                state.ring[state.head] = event
                state.head = (state.head + 1) % capacity
            }
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers { subscriber.yield(false) }
    }

    /// The id of the newest event, or the one before the first.
    public var newest: UInt64 {
        state.with { $0.nextID - 1 }
    }

    /// What is kept of the events after `id`, oldest first, at most `limit`; 0 for all that is kept. An id that was never given is
    /// one of another supervisor: everything that is kept comes after it, after a gap.
    public func events(after id: UInt64, limit: Int = EventLog.maximumBatch) -> Batch {
        state.with { state in
            guard let oldest = state.ring.isEmpty ? nil : state.ring[state.head].id else {
                return Batch(events: [], isGapBefore: false)
            }
            let isKnown = id >= oldest - 1 && id < state.nextID
            let skipped = isKnown ? Int(id + 1 - oldest) : 0
            let count = min(max(0, limit), state.ring.count - skipped)
            let events = (0..<count).map { state.ring[(state.head + skipped + $0) % state.ring.count] }
            return Batch(events: events, isGapBefore: id != 0 && !isKnown)
        }
    }

    /// Batches of what comes after `id`, nil for what comes from now on, until `finish()` or the end of the task that reads.
    public func subscribe(after id: UInt64? = nil) -> EventSubscription {
        let (signals, source) = AsyncStream<Bool>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let (number, position, isFinished) = state.with { state in
            let number = state.nextSubscriber
            state.nextSubscriber += 1
            if !state.isFinished { state.subscribers[number] = source }
            return (number, id ?? state.nextID - 1, state.isFinished)
        }
        source.onTermination = { [weak self] _ in self?.forget(number) }
        if isFinished { source.finish() }
        return EventSubscription(log: self, signals: signals, source: source, position: position)
    }

    /// Ends all subscriptions, after what they have not read yet.
    public func finish() {
        let subscribers = state.with { state in
            state.isFinished = true
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers { subscriber.finish() }
    }

    public var subscriberCount: Int {
        state.with { $0.subscribers.count }
    }

    private func forget(_ number: UInt64) {
        _ = state.with { $0.subscribers.removeValue(forKey: number) }
    }
}
