import GitObjects
import Testing

@testable import Dicfuse

@Suite struct SizesAheadTests {
    private func directory(_ number: Int) -> ObjectID {
        ObjectID(kind: .path, bytes: (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) })!
    }

    @Test func whoAsksForOneIsAskedForOne() {
        var ahead = SizesAhead()
        #expect(ahead.missed(5, of: directory(1), count: 100).isEmpty)
        #expect(ahead.missed(50, of: directory(1), count: 100).isEmpty)
        #expect(ahead.missed(3, of: directory(1), count: 100).isEmpty)
        #expect(ahead.missed(6, of: directory(2), count: 100).isEmpty)
    }

    @Test func theWindowGrowsAndNothingIsAskedForTwice() {
        var ahead = SizesAhead()
        var asked = Set<Int>()
        var misses = 0
        var largest = 0
        for index in 0..<1000 where !asked.contains(index) {
            misses += 1
            let guessed = ahead.missed(index, of: directory(1), count: 1000)
            #expect(asked.isDisjoint(with: guessed))
            asked.formUnion(guessed)
            largest = max(largest, guessed.count)
        }
        #expect(largest == SizesAhead.largestWindow)
        #expect(misses < 40)
        #expect(asked.max() == 999)
    }

    @Test func theEndOfTheDirectoryIsTheEnd() {
        var ahead = SizesAhead()
        _ = ahead.missed(7, of: directory(1), count: 10)
        #expect(ahead.missed(8, of: directory(1), count: 10) == 9..<10)
        #expect(ahead.missed(9, of: directory(1), count: 10).isEmpty)
    }

    @Test func onlySoManyDirectoriesAreRemembered() {
        var ahead = SizesAhead()
        for number in 0...SizesAhead.directoryLimit { _ = ahead.missed(0, of: directory(number), count: 10) }
        #expect(ahead.missed(1, of: directory(0), count: 10).isEmpty)
        #expect(!ahead.missed(1, of: directory(SizesAhead.directoryLimit), count: 10).isEmpty)
    }
}
