import LinuxSystem
import Testing

@testable import Supervision

@Suite struct SpawnBudgetTests {
    private static let start = Deadline(nanoseconds: 1_000_000_000_000)

    @Test func aBucketGivesItsBurstAndThenItsRate() {
        var bucket = TokenBucket(burst: 3, interval: .milliseconds(10))
        let waits = (0..<5).map { _ in bucket.take(at: Self.start) }
        #expect(waits == [.zero, .zero, .zero, .milliseconds(10), .milliseconds(20)])
        let later = Self.start.advanced(by: .seconds(1))
        #expect((0..<4).map { _ in bucket.take(at: later) } == [.zero, .zero, .zero, .milliseconds(10)])
    }

    @Test func aStormIsHeldToTheRate() {
        var budget = SpawnBudget()
        for id in UInt64(0)..<1000 { budget.enter(id, .takeover) }
        #expect(budget.admit(at: Self.start).count == SpawnBudget.burst)
        #expect(budget.wait(at: Self.start) == SpawnBudget.interval)
        #expect(budget.admit(at: Self.start.advanced(by: .milliseconds(95))).count == 9)
    }

    @Test func thoseOnProbationLeaveAReserve() {
        var budget = SpawnBudget()
        for id in UInt64(0)..<1000 { budget.enter(id, .probation) }
        #expect(budget.admit(at: Self.start).count == SpawnBudget.burst - SpawnBudget.reserve)
        // However many bad mounts wait, a takeover is admitted at once.
        for id in UInt64(1000)..<1010 { budget.enter(id, .takeover) }
        #expect(budget.admit(at: Self.start) == Array(1000..<1010))
    }

    @Test func everybodyHasATurn() {
        var budget = SpawnBudget()
        var now = Self.start
        for id in UInt64(0)..<200 { budget.enter(id, .takeover) }
        var admitted: [UInt64] = []
        for _ in 0..<200 {
            admitted += budget.admit(at: now)
            now = now.advanced(by: SpawnBudget.interval)
        }
        #expect(admitted == Array(0..<200))
        #expect(budget.wait(at: now) == nil)
    }
}
