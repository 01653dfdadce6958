import GitObjects

/// Misses that wait to travel together. While the requests allowed at a time are under way, what is missed queues here, and
/// the next request takes all of it, so that requests grow with the load and a lone miss waits for nobody.
///
/// A state machine: no clock, no lock, no I/O.
struct BatchQueue: Sendable {
    struct Item: Sendable, Hashable {
        let key: FlightKey
        let id: ObjectID
        /// Bytes it will have, as far as is known.
        let size: UInt64
        let isBackground: Bool
    }

    private let requests: Int
    private let itemLimit: Int
    private let byteLimit: UInt64
    private var foreground: [Item] = []
    private var background: [Item] = []
    private(set) var underWay = 0
    private var backgroundUnderWay = 0

    struct Batch: Sendable {
        var items: [Item]
        let isBackground: Bool
    }

    /// - Parameters:
    ///   - requests: under way at a time.
    ///   - itemLimit: objects in one request.
    ///   - byteLimit: bytes in one answer; a single object may have more.
    init(requests: Int, itemLimit: Int, byteLimit: UInt64) {
        self.requests = requests
        self.itemLimit = itemLimit
        self.byteLimit = byteLimit
    }

    var count: Int { foreground.count + background.count }
    var foregroundCount: Int { foreground.count }

    mutating func add(_ item: Item) {
        if item.isBackground { background.append(item) } else { foreground.append(item) }
    }

    /// The next request to make, if one more may be under way. Call `ended` for each. Background takes half of the requests at
    /// most, and only while nobody waits in the foreground.
    mutating func next() -> Batch? {
        guard underWay < requests else { return nil }
        if !foreground.isEmpty {
            underWay += 1
            return Batch(items: take(from: &foreground), isBackground: false)
        }
        guard !background.isEmpty, backgroundUnderWay < max(1, requests / 2) else { return nil }
        underWay += 1
        backgroundUnderWay += 1
        return Batch(items: take(from: &background), isBackground: true)
    }

    /// Somebody waits for it now.
    mutating func promote(_ key: FlightKey) {
        guard let index = background.firstIndex(where: { $0.key == key }) else { return }
        let item = background.remove(at: index)
        foreground.append(Item(key: item.key, id: item.id, size: item.size, isBackground: false))
    }

    mutating func ended(_ batch: Batch) {
        underWay -= 1
        if batch.isBackground { backgroundUnderWay -= 1 }
    }

    private func take(from queue: inout [Item]) -> [Item] {
        var bytes: UInt64 = 0
        var taken = 0
        while taken < queue.count, taken < itemLimit, taken == 0 || bytes + queue[taken].size <= byteLimit {
            bytes += queue[taken].size
            taken += 1
        }
        defer { queue.removeFirst(taken) }
        return Array(queue[..<taken])
    }
}
