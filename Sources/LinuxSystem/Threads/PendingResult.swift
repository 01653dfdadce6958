/// What something that was begun on another thread comes to; whoever began it can do other things before it waits.
public final class PendingResult<Value: Sendable>: Sendable {
    private enum State {
        case unfinished
        case awaited(CheckedContinuation<Value, Never>)
        case finished(Value)
    }

    private let state = Guarded(State.unfinished)

    init() {}

    /// Suspends until it is there. One may wait, once.
    public func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.with { state -> Value? in
                if case .finished(let value) = state { return value }
                state = .awaited(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }

    func finish(_ value: Value) {
        let waiter = state.with { state -> CheckedContinuation<Value, Never>? in
            defer { state = .finished(value) }
            if case .awaited(let waiter) = state { return waiter }
            return nil
        }
        waiter?.resume(returning: value)
    }
}
