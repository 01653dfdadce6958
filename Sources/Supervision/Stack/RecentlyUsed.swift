/// A few values by key; the one that was used longest ago goes first.
struct RecentlyUsed<Key: Hashable, Value> {
    private let limit: Int
    /// The latest one last. Few, so searching is cheap.
    private var entries: [(key: Key, value: Value)] = []

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int {
        entries.count
    }

    mutating func use(_ key: Key) -> Value? {
        guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
        let entry = entries.remove(at: index)
        entries.append(entry)
        return entry.value
    }

    /// Keeps `value` unless the key has one, and returns what it has.
    mutating func keep(_ value: Value, for key: Key) -> Value {
        if let first = use(key) { return first }
        entries.append((key, value))
        if entries.count > limit { entries.removeFirst() }
        return value
    }
}
