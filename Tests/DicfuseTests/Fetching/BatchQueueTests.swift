import GitObjects
import Testing

@testable import Dicfuse

@Suite("Batch queue")
struct BatchQueueTests {
    private func item(_ size: UInt64, background: Bool = false) -> BatchQueue.Item {
        BatchQueue.Item(
            key: .blob(.emptyBlobSHA1, size: size), id: .emptyBlobSHA1, size: size, isBackground: background)
    }

    @Test("A lone miss goes at once; what comes while all requests are under way travels together")
    func grows() throws {
        let queue = Queue(requests: 2, itemLimit: 100, byteLimit: 1000)
        queue.add(item(1))
        let first = try #require(queue.next())
        #expect(first.items.count == 1)
        queue.add(item(2))
        let second = try #require(queue.next())
        #expect(second.items.count == 1)
        for size in 3...12 { queue.add(item(UInt64(size))) }
        #expect(queue.next()?.items == nil)
        queue.ended(first)
        let third = try #require(queue.next())
        #expect(third.items.map(\.size) == Array(3...12))
        #expect(queue.next()?.items == nil)
        queue.ended(second)
        queue.ended(third)
        #expect(queue.underWay == 0)
    }

    @Test("A request has at most so many objects and so many bytes, but always one")
    func limits() {
        let queue = Queue(requests: 9, itemLimit: 3, byteLimit: 100)
        for size: UInt64 in [10, 10, 10, 10, 95, 5, 500] { queue.add(item(size)) }
        var sizes: [[UInt64]] = []
        while let batch = queue.next() { sizes.append(batch.items.map(\.size)) }
        #expect(sizes == [[10, 10, 10], [10], [95, 5], [500]])
    }

    @Test("Foreground goes first, and background never takes every request")
    func background() throws {
        let queue = Queue(requests: 2, itemLimit: 1, byteLimit: 100)
        for _ in 0..<3 { queue.add(item(1, background: true)) }
        let first = try #require(queue.next())
        #expect(first.isBackground)
        #expect(queue.next()?.items == nil)
        queue.add(item(2))
        #expect(try #require(queue.next()).items.map(\.size) == [2])
        queue.ended(first)
        queue.add(item(3))
        #expect(try #require(queue.next()).items.map(\.size) == [3])
    }

    @Test("Background that somebody waits for goes with the foreground")
    func promoted() throws {
        let queue = Queue(requests: 2, itemLimit: 1, byteLimit: 100)
        for size: UInt64 in 1...4 { queue.add(item(size, background: true)) }
        _ = queue.next()
        #expect(queue.next()?.items == nil)
        queue.promote(.blob(.emptyBlobSHA1, size: 3))
        queue.promote(.blob(.emptyBlobSHA1, size: 9))
        let next = try #require(queue.next())
        #expect(next.items.map(\.size) == [3] && !next.isBackground)
    }
}

/// A reference to a queue, so that expectations can change it.
private final class Queue {
    private var queue: BatchQueue

    init(requests: Int, itemLimit: Int, byteLimit: UInt64) {
        queue = BatchQueue(requests: requests, itemLimit: itemLimit, byteLimit: byteLimit)
    }

    var underWay: Int { queue.underWay }
    func add(_ item: BatchQueue.Item) { queue.add(item) }
    func next() -> BatchQueue.Batch? { queue.next() }
    func promote(_ key: FlightKey) { queue.promote(key) }
    func ended(_ batch: BatchQueue.Batch) { queue.ended(batch) }
}
