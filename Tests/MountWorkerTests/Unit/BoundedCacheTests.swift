import Testing

@testable import MountWorker

@Suite struct BoundedCacheTests {
    @Test func dropsTheLeastRecentlyUsed() {
        var cache = BoundedCache<Int, String>(limit: 3)
        for key in 1...3 { cache.insert("\(key)", for: key) }
        #expect(cache.value(for: 1) == "1")
        cache.insert("4", for: 4)
        #expect(cache.value(for: 2) == nil)
        #expect(cache.value(for: 1) == "1")
        #expect(cache.value(for: 3) == "3")
        #expect(cache.count == 3)
    }

    @Test func countsCosts() {
        var cache = BoundedCache<Int, Int>(limit: 100, minimumCount: 2)
        cache.insert(1, for: 1, cost: 60)
        cache.insert(2, for: 2, cost: 60)
        #expect(cache.count == 2, "the minimum stays over the limit")
        cache.insert(3, for: 3, cost: 10)
        #expect(cache.value(for: 1) == nil)
        #expect(cache.cost == 70)
        cache.insert(3, for: 3, cost: 20)
        #expect(cache.cost == 80)
        cache.remove(2)
        cache.remove(3)
        #expect(cache.cost == 0)
        #expect(cache.count == 0)
        cache.insert(4, for: 4)
        #expect(cache.value(for: 4) == 4)
    }

    @Test func staysConsistentUnderMixedUse() {
        var cache = BoundedCache<Int, Int>(limit: 50)
        var state: UInt64 = 88172645463325252
        for _ in 0..<10_000 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            let key = Int(state % 120)
            switch state >> 40 & 3 {
            case 0: cache.remove(key)
            case 1: if let value = cache.value(for: key) { #expect(value == key) }
            default: cache.insert(key, for: key, cost: 1 + key % 3)
            }
            #expect(cache.cost <= 50)
        }
    }
}
