import GitObjects
import Testing

@testable import Dicfuse

@Suite("Eviction, decided")
struct EvictionTests {
    @Test("The victims are the least recently used, idle ones first, and not one more than needed", arguments: 0..<50)
    func plan(_ seed: UInt64) {
        var random = Seeded(seed)
        let candidates = (0..<Int.random(in: 1...300, using: &random)).map { _ in
            EvictionPlan.Candidate(
                store: Int.random(in: 0...2, using: &random), id: random.id(),
                size: UInt64.random(in: 0...20_000, using: &random),
                rank: [.idle, .idle, .mounted, .resident].randomElement(using: &random) ?? .idle,
                lastUse: Int64.random(in: 0...50, using: &random))
        }
        let need = StorageLimits.Need(
            bytes: UInt64.random(in: 0...2_000_000, using: &random),
            inodes: UInt64.random(in: 0...200, using: &random))
        var plan = EvictionPlan(need: need)
        for candidate in candidates.shuffled(using: &random) { plan.offer(candidate) }

        var expected: [EvictionPlan.Candidate] = []
        var bytes: UInt64 = 0
        for candidate in candidates.sorted(by: { $0.goesBefore($1) }) {
            if bytes >= need.bytes && UInt64(expected.count) >= need.inodes { break }
            expected.append(candidate)
            bytes += candidate.footprint
        }
        // An empty file frees an inode and no bytes: the plan may spare such a one at the end of its list, the plain loop does not look back.
        while let last = expected.last, bytes - last.footprint >= need.bytes, UInt64(expected.count - 1) >= need.inodes
        {
            expected.removeLast()
            bytes -= last.footprint
        }
        #expect(plan.victims == expected)
        #expect(plan.bytes == bytes)
    }

    @Test("Eviction begins above the high watermark of either limit and ends at the low one")
    func watermarks() {
        let limits = StorageLimits(bytes: 1000, inodes: 10, high: 90, low: 50)
        #expect(!limits.isAboveHigh(StoreUsage(objects: 9, bytes: 900)))
        #expect(limits.isAboveHigh(StoreUsage(objects: 10, bytes: 0)))
        #expect(limits.isAboveHigh(StoreUsage(objects: 0, bytes: 901)))
        #expect(limits.excess(StoreUsage(objects: 8, bytes: 950)) == StorageLimits.Need(bytes: 450, inodes: 3))
        #expect(limits.excess(StoreUsage(objects: 5, bytes: 500)).isNothing)
        #expect(!StorageLimits().isAboveHigh(StoreUsage(objects: .max, bytes: .max)))
        let huge = StorageLimits(bytes: .max, high: 95, low: 85)
        #expect(huge.isAboveHigh(StoreUsage(bytes: .max)))
        #expect(huge.excess(StoreUsage(bytes: .max)).bytes > .max / 8)
    }

    @Test("What is used is the sum of what is present, whatever the order of changes", arguments: 0..<20)
    func usage(_ seed: UInt64) {
        var random = Seeded(seed)
        var records: [Int: BlobRecord] = [:]
        var usage = StoreUsage()
        for _ in 0..<500 {
            let key = Int.random(in: 0..<20, using: &random)
            let new = BlobRecord(
                size: UInt64.random(in: 0...10_000, using: &random), flags: Bool.random(using: &random) ? .present : [],
                lastUse: 0)
            usage.change(from: records[key], to: new)
            records[key] = new
        }
        let present = records.values.filter { $0.flags.contains(.present) }
        #expect(usage.objects == UInt64(present.count))
        #expect(usage.bytes == present.reduce(0) { $0 + StoreUsage.footprint(of: $1.size) })
        #expect((try? StoreUsage(usage.encode())) == usage)
    }

    @Test("An object counts as used while a mount lives that asked for it, and the mount's end is its last use")
    func mountUses() {
        var random = Seeded(1)
        let (asked, other) = (random.id(), random.id())
        var uses = MountUses()
        uses.note(asked, by: 7)
        #expect(uses.isMounted(asked))
        #expect(!uses.isMounted(other))
        uses.leave(7, now: 5000)
        #expect(!uses.isMounted(asked))
        #expect(uses.lastUse(of: asked, recorded: 100) == 5000)
        #expect(uses.lastUse(of: asked, recorded: 6000) == 6000)
        #expect(uses.lastUse(of: other, recorded: 100) == 100)
        // A bounded number of ends is remembered.
        for end in 1...Int64(MountUses.spans) {
            uses.note(other, by: 8)
            uses.leave(8, now: 5000 + end * MountUses.span)
        }
        #expect(uses.lastUse(of: asked, recorded: 100) == 100)
        #expect(uses.lastUse(of: other, recorded: 100) == 5000 + Int64(MountUses.spans) * MountUses.span)
    }

    @Test("The filter of a mount has all it was given and, of ten thousand, few that it was not")
    func filter() {
        var random = Seeded(2)
        var filter = UseFilter()
        let given = (0..<10_000).map { _ in random.id() }
        for id in given { filter.insert(id) }
        #expect(given.allSatisfy { filter.contains($0) })
        let wrong = (0..<10_000).count { _ in filter.contains(random.id()) }
        #expect(wrong < 100)
    }

    @Test("Uses are written many at a time, and not where the index knows nearly as much")
    func recentUses() {
        var random = Seeded(3)
        var uses = RecentUses()
        let id = random.id()
        let first = uses.note(id, recorded: 1000, now: 1000 + RecentUses.precision)
        #expect(first == nil)
        let nothing = uses.take()
        #expect(nothing == nil)
        let later = [2000, 2001, 2000 + RecentUses.delay].map { uses.note(id, recorded: 0, now: $0) }
        #expect(later == [nil, nil, [id]])
        let again = uses.take()
        #expect(again == nil)
        var written = 0
        for _ in 0..<RecentUses.limit * 3 {
            if let due = uses.note(random.id(), recorded: 0, now: 9000) { written += due.count }
        }
        #expect(written == RecentUses.limit * 3)
    }
}
