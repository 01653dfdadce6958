/// The events of an `EventLog` from a position on, as they come. To be read by one task.
public struct EventSubscription: AsyncSequence, Sendable {
    public typealias Element = EventLog.Batch

    let log: EventLog
    /// False: something was recorded. True: somebody wants a sign of life.
    let signals: AsyncStream<Bool>
    let source: AsyncStream<Bool>.Continuation
    let position: UInt64

    /// Lets a reader that waits have an empty batch.
    public func nudge() {
        source.yield(true)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let log: EventLog
        var signals: AsyncStream<Bool>.Iterator
        var position: UInt64
        var isEnding = false

        public mutating func next() async -> EventLog.Batch? {
            while true {
                let batch = log.events(after: position)
                if let last = batch.events.last {
                    position = last.id
                    return batch
                }
                if isEnding { return nil }
                switch await signals.next(isolation: #isolation) {
                case .some(true): return EventLog.Batch(events: [], isGapBefore: false)
                case .some(false): break
                // What came between the look above and the end is still told.
                case .none: isEnding = true
                }
            }
        }
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(log: log, signals: signals.makeAsyncIterator(), position: position)
    }
}
