import CacheProtocol
import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite struct OwnerJudgeTests {
    private func sample(
        _ state: Character, thread: Int32 = 1, name: String = "cache", time: UInt64 = 0, slices: UInt64 = 7
    ) -> ThreadSample {
        ThreadSample(id: thread, name: name, state: state, time: .nanoseconds(Int64(time)), slices: slices)
    }

    private func silence(_ before: [ThreadSample], _ after: [ThreadSample]) -> OwnerJudge.Silence {
        OwnerJudge.Silence(since: .now, before: before, after: after)
    }

    @Test func aStoppedOwnerHangs() {
        var judge = OwnerJudge()
        #expect(judge.judge(silence([sample("T")], [sample("T")])) == .hung("it is stopped"))
        // Going on between the two looks.
        #expect(judge.judge(silence([sample("T")], [sample("R", slices: 8)])) == .late)
    }

    @Test func threadsThatSleepAndDoNotAnswerHang() {
        var judge = OwnerJudge()
        let both = [sample("S"), sample("S", thread: 2)]
        guard case .hung = judge.judge(silence(both, both)) else {
            Issue.record("a deadlock is not seen")
            return
        }
        // A thread that has nothing to do with answering moves.
        let other = [
            sample("S", thread: 9, name: "fetch", slices: 1), sample("S", thread: 9, name: "fetch", slices: 5),
        ]
        guard case .hung = judge.judge(silence(both + [other[0]], both + [other[1]])) else {
            Issue.record("a deadlock is hidden by another thread")
            return
        }
    }

    @Test(arguments: ["R", "D"] as [Character])
    func aSlowDiskAndAStarvedProcessorAreNoHang(state: Character) {
        var judge = OwnerJudge()
        for _ in 0..<100 {
            #expect(judge.judge(silence([sample(state)], [sample(state)])) == .late)
            // One of two is at work, the other waits for its lock.
            let pair = [sample(state), sample("S", thread: 2)]
            #expect(judge.judge(silence(pair, pair)) == .late)
        }
    }

    @Test func aThreadThatMovedIsNoHang() {
        var judge = OwnerJudge()
        #expect(judge.judge(silence([sample("S", slices: 7)], [sample("S", slices: 8)])) == .late)
    }

    @Test func runningInACircleIsAHangOnceItTookTheTime() {
        var judge = OwnerJudge()
        let second: UInt64 = 1_000_000_000
        #expect(judge.judge(silence([sample("R", time: 5 * second)], [sample("R", time: 6 * second)])) == .late)
        #expect(judge.judge(silence([sample("R", time: 20 * second)], [sample("R", time: 24 * second)])) == .late)
        guard case .hung = judge.judge(silence([sample("R", time: 25 * second)], [sample("R", time: 26 * second)]))
        else {
            Issue.record("a circle is not seen")
            return
        }
        // An answer in between begins anew.
        #expect(judge.judge(suspects: [], before: [], after: []) == .healthy)
        #expect(judge.judge(silence([sample("R", time: 40 * second)], [sample("R", time: 41 * second)])) == .late)
    }

    @Test func aLongTurnCountsOnlyWhenTheThreadSleepsInIt() {
        var judge = OwnerJudge()
        let pulse = [
            ThreadPulse(thread: 1, turns: 3, busy: OwnerJudge.longTurn.nanoseconds + 1),
            ThreadPulse(thread: 2, turns: 3, busy: 5),
        ]
        #expect(OwnerJudge.suspects(pulse) == [1])
        let sleeping = [sample("S")]
        guard case .hung = judge.judge(suspects: [1], before: sleeping, after: sleeping) else {
            Issue.record("a thread that does not end its turn is not seen")
            return
        }
        #expect(judge.judge(suspects: [1], before: [sample("D")], after: [sample("D")]) == .late)
        #expect(judge.judge(suspects: [1], before: sleeping, after: [sample("S", slices: 8)]) == .late)
        #expect(judge.judge(suspects: [2], before: sleeping, after: sleeping) == .late, "another thread")
    }

    @Test func theKernelIsReadAsItWrites() throws {
        let samples = ThreadSample.all(of: getpid())
        #expect(samples.contains { $0.id == SystemThread.currentID && $0.state == "R" && $0.slices > 0 })
        let child = try ChildProcess.spawn(ProcessSpec(path: "/bin/sleep", arguments: ["60"]))
        defer {
            child.signal(SIGKILL)
            _ = child.waitForEnd(until: .after(.seconds(5)))
            _ = child.reap()
        }
        child.signal(SIGSTOP)
        let deadline = Deadline.after(.seconds(10))
        while ThreadSample.all(of: child.pid).first?.isStopped != true, !deadline.hasPassed { sched_yield() }
        #expect(ThreadSample.all(of: child.pid).map(\.name) == ["sleep"])
        #expect(ThreadSample.all(of: child.pid).first?.isStopped == true)
    }
}
