import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite struct SealingQueueTests {
    private func key(_ number: Int) throws -> SealedImages.Key {
        let digits = String(number, radix: 16)
        let id = try #require(ObjectID(hex: String(repeating: "0", count: 40 - digits.count) + digits))
        return SealedImages.Key(root: id, time: 0)
    }

    @Test(arguments: SealingQueue.Lane.allCases) func aSnapshotWaitsOnceAndIsMadeOnce(lane: SealingQueue.Lane) throws {
        var queue = SealingQueue()
        #expect(try queue.add(key(1), to: lane).isNew && !queue.add(key(1), to: lane).isNew)
        #expect(try queue.next(in: lane) == key(1) && queue.has(key(1), in: lane))
        #expect(try !queue.add(key(1), to: lane).isNew)
        #expect(try queue.next(in: lane) == nil && !queue.has(key(1), in: lane))
        #expect(try queue.add(key(1), to: lane).isNew)
    }

    /// Its thread has offered it and is not done with it when the sweep finds the damage: it was lost then until the next mount asked.
    @Test func aDamagedImageIsMadeAgainWhileItsThreadIsNotDoneWithIt() throws {
        var queue = SealingQueue()
        _ = try queue.add(key(1), to: .whole)
        _ = queue.next(in: .whole)
        #expect(try queue.add(key(1), to: .whole, isDamaged: true).isNew)
        #expect(try !queue.add(key(1), to: .whole, isDamaged: true).isNew)
        #expect(try queue.next(in: .whole) == key(1))
    }

    @Test func whatIsMadeWholeIsNoCopy() throws {
        var queue = SealingQueue()
        _ = try queue.add(key(1), to: .whole)
        #expect(try !queue.add(key(1), to: .copies).isNew)
        // A copy that cannot be is made whole, by the lane that has it still.
        _ = try queue.add(key(2), to: .copies)
        _ = queue.next(in: .copies)
        #expect(try queue.add(key(2), to: .whole).isNew)
    }

    @Test func theOldestIsLeftOutOfALongQueue() throws {
        var queue = SealingQueue()
        for number in 0..<SealingQueue.longest { _ = try queue.add(key(number), to: .whole) }
        let (isNew, dropped) = try queue.add(key(99), to: .whole)
        #expect(try isNew && dropped == key(0))
    }

    @Test func whatFailedIsNotTriedBeforeItsTime() throws {
        var queue = SealingQueue()
        try queue.fail(key(1), until: .after(.seconds(60)))
        #expect(try !queue.add(key(1), to: .whole).isNew && !queue.add(key(1), to: .whole, isDamaged: true).isNew)
        try queue.fail(key(1), until: .now)
        #expect(try queue.add(key(1), to: .whole).isNew)
    }
}
