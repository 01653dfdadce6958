import LinuxSystem

/// A bounded map that keeps what was used recently.
///
/// Two generations: entries go into the young one; when that is full it becomes the old one and the old one is dropped. A hit
/// in the old one is moved up. So an entry is kept at least as long as half the capacity is not turned over, without the
/// bookkeeping of an exact order.
final class RecentCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var young: [Key: Value] = [:]
        var old: [Key: Value] = [:]
        var youngCost = 0
    }

    private let state = Guarded(State())
    private let generation: Int
    private let cost: @Sendable (Value) -> Int

    /// - Parameter capacity: In the unit of `cost`. A value that costs more than half of it is not kept.
    init(capacity: Int, cost: @escaping @Sendable (Value) -> Int) {
        self.generation = capacity / 2
        self.cost = cost
    }

    subscript(key: Key) -> Value? {
        self.state.with { self.find(key, in: &$0) }
    }

    /// One answer for each key, under one lock.
    func values(for keys: [Key]) -> [Value?] {
        self.state.with { state in keys.map { self.find($0, in: &state) } }
    }

    func insert(_ value: Value, for key: Key) {
        self.state.with { self.insert(value, for: key, into: &$0) }
    }

    func insert(_ entries: [Key: Value]) {
        self.state.with { state in
            for (key, value) in entries { self.insert(value, for: key, into: &state) }
        }
    }

    private func find(_ key: Key, in state: inout State) -> Value? {
        if let value = state.young[key] { return value }
        guard let value = state.old.removeValue(forKey: key) else { return nil }
        self.insert(value, for: key, into: &state)
        return value
    }

    private func insert(_ value: Value, for key: Key, into state: inout State) {
        let cost = self.cost(value)
        guard cost <= self.generation, state.young[key] == nil else { return }
        if state.youngCost + cost > self.generation {
            state.old = state.young
            state.young = [:]
            state.youngCost = 0
        }
        state.young[key] = value
        state.youngCost += cost
    }
}
