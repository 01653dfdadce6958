import Glibc
import LinuxSystem
import Testing

@Suite struct DeadlineTests {
    @Test func timesAreAdded() {
        let start = Deadline(nanoseconds: 5_000_000_000)
        #expect(start.advanced(by: .milliseconds(1500)).nanoseconds == 6_500_000_000)
        #expect(start.advanced(by: .nanoseconds(1)).nanoseconds == 5_000_000_001)
        #expect(start.advanced(by: .zero) == start)
        #expect(start.advanced(by: .seconds(-3)) == start, "a deadline does not move back")
    }

    @Test func tooLateIsNever() {
        #expect(Deadline(nanoseconds: .max - 1).advanced(by: .seconds(1)) == .never)
        #expect(Deadline.never.advanced(by: .seconds(1)) == .never)
        let far = Deadline.after(.seconds(Int64.max))
        #expect(far > Deadline.after(.seconds(1_000_000_000)))
        #expect(!far.hasPassed)
    }

    @Test func deadlinesPass() {
        let past = Deadline(nanoseconds: Deadline.now.nanoseconds - 1)
        #expect(past.hasPassed)
        #expect(past.remaining == .zero)
        #expect(past.pollTimeout == 0)
        #expect(!Deadline.never.hasPassed)
        #expect(Deadline.never.pollTimeout == -1)
        #expect(past < Deadline.now)
    }

    @Test func aPollLastsAtLeastAsLongAsIsLeft() {
        #expect(Deadline.after(.microseconds(10)).pollTimeout <= 1)
        let timeout = Deadline.after(.seconds(100)).pollTimeout
        #expect(timeout > 99_000 && timeout <= 100_000)
        #expect(Deadline(nanoseconds: .max - 1).pollTimeout == Int32.max)
        #expect(Deadline.after(.seconds(100)).remaining > .seconds(99))
    }

    @Test func timeDoesNotGoBack() {
        let one = Deadline.now
        let two = Deadline.now
        #expect(one <= two)
    }
}
