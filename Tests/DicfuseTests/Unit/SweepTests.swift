import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Sweeps, decided")
struct SweepTests {
    @Test("Files and records are held against each other, once each")
    func steps() {
        var random = Seeded(1)
        let (both, gone, unknown, known) = (random.id(), random.id(), random.id(), random.id())
        let steps = SweepPlan.steps(
            files: [unknown, both, known],
            records: [
                (both, BlobRecord(size: 5, flags: [.present, .modeKnown], lastUse: 0)),
                (gone, BlobRecord(size: 6, flags: .present, lastUse: 0)),
                // Known by size only, as before it is fetched.
                (known, BlobRecord(size: 7, flags: [], lastUse: 0)),
            ])
        #expect(
            Set(steps) == [.check(both, size: 5), .missing(gone, size: 6), .orphan(unknown), .orphan(known)])
        #expect(steps.count == 4)
    }

    @Test("The 256 parts together are all keys of a kind")
    func ranges() {
        for kind in [ObjectID.Kind.sha1, .sha256] {
            for part in UInt8(0)..<255 {
                #expect(SweepPlan.range(of: part, kind: kind).end == SweepPlan.range(of: part + 1, kind: kind).start)
            }
            #expect(SweepPlan.range(of: 255, kind: kind).end == [kind.rawValue + 1])
        }
    }

    @Test("A sweep keeps to its rate and does not catch up")
    func throttle() {
        let begin = Deadline(nanoseconds: 1_000_000_000_000)
        var throttle = Throttle(rate: 1000, now: begin)
        let small = throttle.pause(after: 50, now: begin)
        #expect(small == nil)
        let pause = throttle.pause(after: 450, now: begin)
        #expect(pause == begin.advanced(by: .milliseconds(500)))
        let late = begin.advanced(by: .seconds(60))
        let later = [throttle.pause(after: 50, now: late), throttle.pause(after: 950, now: late)]
        #expect(later == [nil, late.advanced(by: .seconds(1))])
        var free = Throttle(rate: 0, now: begin)
        let none = free.pause(after: .max, now: begin)
        #expect(none == nil)
    }

    @Test(
        "A look on demand takes the place of one in the background, and what only looked at sizes is followed by one at contents"
    )
    func kinds() {
        #expect(SweepKind.contents < .sizes && SweepKind.sizes < .rebuild && SweepKind.rebuild < .verify)
        #expect(SweepKind.sizes.next == .contents)
        #expect(SweepKind.verify.next == nil && SweepKind.contents.next == nil)
    }
}
