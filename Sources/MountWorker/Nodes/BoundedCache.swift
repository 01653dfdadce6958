/// The most recently used values, bounded by a sum of costs; the last `minimumCount` stay whatever they cost.
struct BoundedCache<Key: Hashable, Value> {
    private struct Slot {
        var key: Key
        var value: Value
        var cost: Int
        var newer: Int
        var older: Int
    }

    private var slots: [Slot?] = []
    private var vacant: [Int] = []
    private var index: [Key: Int] = [:]
    private var newest = -1
    private var oldest = -1
    private(set) var cost = 0
    private let limit: Int
    private let minimumCount: Int

    init(limit: Int, minimumCount: Int = 1) {
        self.limit = limit
        self.minimumCount = minimumCount
    }

    var count: Int {
        index.count
    }

    /// The value, which becomes the most recently used.
    mutating func value(for key: Key) -> Value? {
        guard let position = index[key] else { return nil }
        if position != newest {
            unlink(position)
            link(position)
        }
        return slots[position]?.value
    }

    mutating func insert(_ value: Value, for key: Key, cost: Int = 1) {
        remove(key)
        let position = vacant.popLast() ?? slots.count
        if position == slots.count { slots.append(nil) }
        slots[position] = Slot(key: key, value: value, cost: cost, newer: -1, older: -1)
        index[key] = position
        self.cost += cost
        link(position)
        while self.cost > limit, count > minimumCount, oldest >= 0, let key = slots[oldest]?.key { remove(key) }
    }

    mutating func remove(_ key: Key) {
        guard let position = index.removeValue(forKey: key), let slot = slots[position] else { return }
        unlink(position)
        cost -= slot.cost
        slots[position] = nil
        vacant.append(position)
    }

    private mutating func link(_ position: Int) {
        slots[position]?.older = newest
        slots[position]?.newer = -1
        if newest >= 0 { slots[newest]?.newer = position }
        newest = position
        if oldest < 0 { oldest = position }
    }

    private mutating func unlink(_ position: Int) {
        guard let slot = slots[position] else { return }
        if slot.newer >= 0 { slots[slot.newer]?.older = slot.older } else { newest = slot.older }
        if slot.older >= 0 { slots[slot.older]?.newer = slot.newer } else { oldest = slot.newer }
    }
}
