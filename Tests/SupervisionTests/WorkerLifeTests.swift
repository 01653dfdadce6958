import LinuxSystem
import Testing
import WorkerProtocol

@testable import Supervision

@Suite struct WorkerLifeTests {
    /// A life with a worker that serves, and a clock that the test moves.
    struct Scenario {
        var life = WorkerLife()
        var now = Deadline(nanoseconds: 1_000_000_000_000)

        init() {
            _ = life.begin()
            _ = life.served()
        }

        /// An end, and the next worker at once.
        @discardableResult
        mutating func end(_ end: WorkerEnd, after delay: Duration = .zero) -> [WorkerLife.Step] {
            now = now.advanced(by: delay)
            let steps = life.ended(end, at: now)
            _ = life.restartDue()
            _ = life.served()
            return steps
        }
    }

    private static let poison = InFlightRequest(unique: 42, opcode: 1, node: 7)
    private static let killed = WorkerEnd(status: .signal(9), answered: true, lived: .seconds(5))

    private func crash(_ inFlight: [InFlightRequest], answered: Bool = true) -> WorkerEnd {
        WorkerEnd(status: .signal(6), answered: answered, inFlight: inFlight, lived: .seconds(1))
    }

    @Test func usefulWorkersThatAreKilledAreReplacedAtOnce() {
        var scenario = Scenario()
        for _ in 0..<1000 { #expect(scenario.end(Self.killed, after: WorkerLife.interval) == [.start]) }
        #expect(scenario.life.restarts == 1000)
        #expect(!scenario.life.isOnProbation)
    }

    @Test func evenUsefulWorkersAreNoForkStorm() {
        var scenario = Scenario()
        var started = 0
        for _ in 0..<10_000 where scenario.end(Self.killed, after: .milliseconds(1)) == [.start] { started += 1 }
        #expect(started <= WorkerLife.burst + 1)
    }

    @Test func idleWorkersThatAreKilledAreNoCrashLoop() {
        var scenario = Scenario()
        for _ in 0..<100 {
            let end = WorkerEnd(status: .signal(9), lived: .milliseconds(150))
            #expect(scenario.end(end, after: .milliseconds(150)) == [.start])
        }
    }

    /// Whoever kills from outside, or the kernel for want of memory: it costs pauses and never the mount.
    @Test(arguments: [9, 15] as [Int32]) func workersThatAreKilledAtOnceAreNeverGivenUp(signal: Int32) {
        var scenario = Scenario()
        var pauses: [Duration] = []
        for round in 0..<1000 {
            scenario.now = scenario.now.advanced(by: .milliseconds(1))
            let request = InFlightRequest(unique: UInt64(100 + 2 * round), opcode: 1, node: 7)
            for step in scenario.life.ended(
                WorkerEnd(status: .signal(signal), inFlight: [request]), at: scenario.now)
            {
                switch step {
                case .pause(let delay):
                    pauses.append(delay)
                    scenario.now = scenario.now.advanced(by: delay)
                    #expect(scenario.life.restartDue() == [.start])
                case .start: pauses.append(.zero)
                default: Issue.record("\(step)")
                }
            }
            _ = scenario.life.served()
        }
        #expect(pauses.count == 1000 && pauses.max().map { $0 <= .seconds(1) } == true)
        #expect(pauses.prefix(WorkerLife.burst).allSatisfy { $0 == .zero }, "the first are replaced at once")
        #expect(!scenario.life.isOnProbation)
    }

    @Test func workersThatAreKilledWhileTheyTakeOverAreNeverGivenUp() {
        var scenario = Scenario()
        _ = scenario.life.ended(Self.killed, at: scenario.now)
        for _ in 0..<100 {
            #expect(scenario.life.refused("killed", .disturbed, at: scenario.now) != [.giveUp])
            _ = scenario.life.restartDue()
        }
    }

    @Test func aWorkerThatHangsWhileItTakesOverIsOfNoUse() {
        let hung = WorkerEnd(status: .signal(9), hung: .notTakingOver)
        #expect(
            hung.worth == .useless && hung.blame == .own && hung.cause == "hung: it does not take the connection over")
        #expect(WorkerEnd(status: .signal(9), hung: .stopped).worth == .disturbed)
    }

    @Test(arguments: [.code(1), .code(0), .signal(6), .signal(11), .signal(31)] as [LinuxSystem.ExitStatus])
    func workersThatEndByThemselvesAreGivenUp(status: LinuxSystem.ExitStatus) {
        var scenario = Scenario()
        var last: [WorkerLife.Step] = []
        for _ in 0...CrashLoopDetector.limit { last = scenario.end(WorkerEnd(status: status)) }
        #expect(last == [.giveUp])
    }

    @Test func uselessWorkersAreGivenUp() {
        var scenario = Scenario()
        var steps: [[WorkerLife.Step]] = []
        for _ in 0...CrashLoopDetector.limit { steps.append(scenario.end(WorkerEnd(status: .code(1)))) }
        #expect(
            steps == [
                [.start], [.pause(.milliseconds(200))], [.pause(.milliseconds(500))], [.pause(.seconds(1))],
                [.pause(.seconds(2))], [.giveUp],
            ])
        #expect(scenario.life.state == .quarantined)
    }

    @Test func aResetBeginsAnew() {
        var scenario = Scenario()
        for _ in 0...CrashLoopDetector.limit { scenario.end(WorkerEnd(status: .code(1))) }
        #expect(scenario.life.reset() == [.start])
        #expect(scenario.life.served() == [])
        #expect(scenario.end(WorkerEnd(status: .code(1))) == [.start], "without backoff")
    }

    @Test func aResetReplacesAWorkerThatServes() {
        var scenario = Scenario()
        #expect(scenario.life.reset() == [.kill])
        #expect(scenario.life.ended(WorkerEnd(status: .signal(9)), at: scenario.now) == [.start])
        #expect(scenario.life.lastCause == "reset")
    }

    @Test func theSecondCrashWithTheSameRequestRefusesIt() {
        var scenario = Scenario()
        #expect(scenario.end(crash([Self.poison])) == [.start])
        #expect(scenario.life.judged == [JudgedRequest(unique: 42, treatment: .alone)])
        var again = Self.poison
        again.unique |= FuseMessage.resentBit
        #expect(scenario.end(crash([again])) == [.refuse([Self.poison]), .start])
        #expect(scenario.life.judged == [JudgedRequest(unique: 42, treatment: .refuse)])
    }

    /// The reader thread that put a question and the control thread that has its answer may both be at a request.
    @Test func aRequestInTheHandsOfTwoThreadsIsAccusedOnce() {
        var scenario = Scenario()
        var again = Self.poison
        again.unique |= FuseMessage.resentBit
        #expect(scenario.end(crash([Self.poison, Self.poison, again])) == [.start])
        #expect(scenario.life.judged == [JudgedRequest(unique: 42, treatment: .alone)])
    }

    @Test func aRequestThatHangsWorkersIsRefusedToo() {
        var scenario = Scenario()
        for round in 0..<2 {
            #expect(scenario.life.replace(.hung(.stuck(Self.poison))) == [.kill])
            let end = WorkerEnd(status: .signal(9), answered: true, inFlight: [Self.poison])
            #expect(scenario.end(end).contains(.refuse([Self.poison])) == (round == 1))
        }
    }

    @Test func killsFromOutsideHardlyAccuse() {
        var scenario = Scenario()
        let end = WorkerEnd(status: .signal(9), answered: true, inFlight: [Self.poison])
        for _ in 0..<3 { #expect(scenario.end(end) == [.start]) }
        #expect(scenario.end(end) == [.refuse([Self.poison]), .start])
    }

    @Test func otherRequestsAreNotRefused() {
        var scenario = Scenario()
        for index in 0..<50 {
            let request = InFlightRequest(unique: UInt64(100 + index * 2), opcode: 1, node: 7)
            #expect(scenario.end(crash([request]), after: .seconds(1)) == [.start])
        }
        #expect(scenario.life.judged.count <= SessionMemory.judgedCapacity)
        #expect(scenario.life.judged.allSatisfy { $0.treatment == .alone })
    }

    @Test func anUpgradeCountsAsNoFailure() {
        var scenario = Scenario()
        for _ in 0..<20 {
            #expect(scenario.life.replace(.upgrade) == [.kill])
            #expect(scenario.life.replace(.upgrade) == [], "once")
            #expect(scenario.end(WorkerEnd(status: .signal(9), inFlight: [Self.poison])) == [.start])
        }
        #expect(scenario.life.judged.isEmpty)
        #expect(scenario.life.lastCause == "upgrade")
    }

    @Test func workersThatAreStoppedFromOutsideAreNoCrashLoop() {
        var scenario = Scenario()
        for _ in 0..<20 {
            _ = scenario.life.replace(.hung(.stopped))
            #expect(scenario.end(WorkerEnd(status: .signal(9)), after: .seconds(2)) == [.start])
        }
    }

    @Test func workersThatHangWithoutAnsweringAreGivenUp() {
        var scenario = Scenario()
        var last: [WorkerLife.Step] = []
        for _ in 0...CrashLoopDetector.limit {
            _ = scenario.life.replace(.hung(.notReading))
            last = scenario.end(WorkerEnd(status: .signal(9)), after: .seconds(2))
        }
        #expect(last == [.giveUp])
    }
}
