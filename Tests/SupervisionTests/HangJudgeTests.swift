import LinuxSystem
import Testing
import WorkerProtocol

@testable import Supervision

@Suite struct HangJudgeTests {
    private static let request = InFlightRequest(unique: 8, opcode: 1, node: 2)

    private func sample(
        waiting: Int = 1, unread: Bool = false, turns: UInt64 = 7, _ inFlight: [Int: InFlightRequest] = [:]
    ) -> HangSample {
        HangSample(waiting: waiting, isUnread: unread, readerTurns: turns, inFlight: inFlight)
    }

    /// Main and two readers.
    private func threads(
        _ main: Character = "S", _ first: Character = "S", _ second: Character = "S", used: [Int] = [0, 0, 0]
    ) -> [ThreadSample] {
        zip([("antares-worker", main), ("fuse-0", first), ("fuse-1", second)], used).enumerated().map { index, item in
            ThreadSample(
                id: Int32(100 + index), name: item.0.0, state: item.0.1, time: .milliseconds(Int64(item.1)))
        }
    }

    @Test func nothingThatWaitsIsNeverHung() {
        var judge = HangJudge()
        for _ in 0..<10 {
            #expect(judge.note(sample(waiting: 0, unread: true, [0: Self.request])) == [])
            #expect(judge.judge(threads("T", "T", "T")) == .undecided)
        }
    }

    @Test func requestsThatNobodyReadsAreProofAfterThreeSamples() {
        var judge = HangJudge()
        #expect(judge.note(sample(unread: true)) == [], "one sample says nothing")
        #expect(judge.note(sample(unread: true)).contains(.threads))
        judge.pingAnswered()
        #expect(judge.judge(threads()) == .undecided)
        _ = judge.note(sample(unread: true))
        judge.pingAnswered()
        #expect(judge.judge(threads()) == .hung(.notReading))
    }

    @Test func aStoppedWorkerIsHungAtOnce() {
        var judge = HangJudge()
        _ = judge.note(sample(unread: true))
        _ = judge.note(sample(unread: true))
        #expect(judge.judge(threads("T", "T", "T")) == .hung(.stopped))
    }

    @Test func aStoppedWorkerThatHasReadEverythingIsFoundByItsSilence() {
        var judge = HangJudge()
        _ = judge.note(sample())
        #expect(judge.note(sample()) == [.ping])
        #expect(judge.note(sample()) == [.threads])
        #expect(judge.judge(threads("T", "T", "T")) == .hung(.stopped))
    }

    @Test func aSlowOriginIsNoHang() {
        var judge = HangJudge()
        _ = judge.note(sample(waiting: 40))
        for _ in 0..<100 {
            #expect(judge.note(sample(waiting: 40)) == [.ping], "requests were read, the control thread answers")
            judge.pingAnswered()
        }
    }

    @Test func readersThatGoOnAreNoHang() {
        var judge = HangJudge()
        for turn in 0..<100 {
            let demand = judge.note(sample(unread: true, turns: UInt64(turn)))
            #expect(!demand.contains(.threads))
            judge.pingAnswered()
        }
    }

    @Test(arguments: [(2, "R", "S"), (0, "S", "R"), (1, "R", "R")] as [(Int, Character, Character)])
    func aWorkerWithoutProcessorIsSlow(used: Int, main: Character, reader: Character) {
        var judge = HangJudge()
        _ = judge.note(sample(unread: true))
        for look in 0..<60 {
            _ = judge.note(sample(unread: true))
            let verdict = judge.judge(threads(main, reader, used: [used * look, used * look, 0]))
            #expect(verdict == .slow("a thread waits for the processor"))
        }
    }

    @Test(arguments: ["R", "D"] as [Character]) func othersThatGoOnAreNoExcuseForAReaderThatSleeps(state: Character) {
        var judge = HangJudge()
        var verdicts: [HangJudge.Verdict] = []
        for turn in 0..<4 {
            // The control thread answers, the other reader is at another request each time; both wait for a processor or a disk whenever
            // they are looked at.
            let other = InFlightRequest(unique: UInt64(100 + turn), opcode: 1, node: 1)
            _ = judge.note(sample(turns: UInt64(turn), [0: Self.request, 1: other]))
            judge.pingAnswered()
            verdicts.append(judge.judge(threads(state, "S", state)))
        }
        #expect(verdicts.dropFirst(2) == [.hung(.stuck(Self.request)), .hung(.stuck(Self.request))])
    }

    @Test func aReaderThatSleepsBehindAStarvedControlThreadIsSlow() {
        var judge = HangJudge()
        for _ in 0..<60 {
            _ = judge.note(sample([0: Self.request]))
            let verdict = judge.judge(threads("R", "S"))
            #expect(verdict == .undecided || verdict == .slow("a thread waits for the processor"))
        }
    }

    @Test func aWorkerThatWaitsForADiskIsSlow() {
        var judge = HangJudge()
        _ = judge.note(sample([0: Self.request]))
        for _ in 0..<60 {
            _ = judge.note(sample([0: Self.request]))
            judge.pingAnswered()
            #expect(judge.judge(threads("S", "D")) == .slow("a thread waits for a disk"))
        }
    }

    @Test func aReaderThatSleepsInARequestIsHung() {
        var judge = HangJudge()
        for turn in 0..<2 {
            // The other reader goes on all the time.
            _ = judge.note(sample(turns: UInt64(turn), [0: Self.request]))
            judge.pingAnswered()
        }
        #expect(judge.judge(threads()) == .undecided)
        _ = judge.note(sample(turns: 9, [0: Self.request, 1: InFlightRequest(unique: 10, opcode: 1, node: 1)]))
        judge.pingAnswered()
        #expect(judge.judge(threads()) == .hung(.stuck(Self.request)))
    }

    @Test func aBusyReaderIsNoExcuseForADeadControlThread() {
        var judge = HangJudge()
        _ = judge.note(sample(turns: 0))
        var verdict = HangJudge.Verdict.undecided
        for look in 1..<4 {
            _ = judge.note(sample(turns: UInt64(look)))
            verdict = judge.judge(threads("S", "R", used: [0, 600 * look, 0]))
        }
        #expect(verdict == .hung(.silent))
    }

    @Test func aLoopIsFoundByTheProcessorTimeItTakes() {
        var judge = HangJudge()
        _ = judge.note(sample([1: Self.request]))
        var verdicts: [HangJudge.Verdict] = []
        for look in 0..<3 {
            _ = judge.note(sample([1: Self.request]))
            judge.pingAnswered()
            verdicts.append(judge.judge(threads("S", "S", "R", used: [0, 0, 900 * look])))
        }
        #expect(verdicts.last == .hung(.looping))
        #expect(!verdicts.dropLast().contains(.hung(.looping)))
    }

    @Test func aBusyWorkerIsNoLoop() {
        var judge = HangJudge()
        _ = judge.note(sample(turns: 0))
        for look in 0..<20 {
            let request = InFlightRequest(unique: UInt64(look), opcode: 1, node: 1)
            let demand = judge.note(sample(unread: true, turns: UInt64(look) * 1000, [0: request]))
            judge.pingAnswered()
            #expect(!demand.contains(.threads))
            #expect(judge.judge(threads("S", "R", "R", used: [0, look * 900, look * 900])) == .undecided)
        }
    }

    @Test func aWorkerThatRecoversStartsAnew() {
        var judge = HangJudge()
        _ = judge.note(sample(unread: true))
        _ = judge.note(sample(unread: true))
        _ = judge.note(sample(waiting: 0))
        _ = judge.note(sample(unread: true))
        #expect(!judge.note(sample(unread: true, turns: 8)).contains(.threads))
    }

    @Test func readsTheKernelsLine() throws {
        let line = "4711 (fuse-1 (x)) R 1 2 3 0 -1 64 5 6 7 8 150 50 0 0 20 0 3 0 99 0 0"
        let thread = try #require(ThreadSample(stat: line, schedstat: "2000000000 77 12\n"))
        #expect(thread == ThreadSample(id: 4711, name: "fuse-1 (x)", state: "R", time: .seconds(2), slices: 12))
        #expect(ThreadSample(stat: "nonsense", schedstat: "") == nil)
        let own = ThreadSample.all(of: ProcessIdentity.current.pid)
        #expect(own.contains { $0.id == ProcessIdentity.current.pid })
        #expect(ThreadSample.all(of: 0x3FFF_FFFF).isEmpty)
    }
}
