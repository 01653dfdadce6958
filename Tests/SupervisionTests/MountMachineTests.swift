import LinuxSystem
import Testing

@testable import Supervision

extension MountMachine.Event {
    static func workerEnded(_ status: LinuxSystem.ExitStatus, usefully: Bool) -> MountMachine.Event {
        .workerEnded(WorkerEnd(status: status, answered: usefully))
    }
}

@Suite struct MountMachineTests {
    typealias Action = MountMachine.Action

    /// A machine and a clock that the test moves.
    struct Scenario {
        var machine = MountMachine()
        var now = Deadline(nanoseconds: 1_000_000_000_000)

        @discardableResult
        mutating func send(_ event: MountMachine.Event, after delay: Duration = .zero) -> [Action] {
            now = now.advanced(by: delay)
            return machine.handle(event, at: now)
        }

        /// One after the other, until that is too much; what came of the last.
        @discardableResult
        mutating func crashWorkers() -> [Action] {
            var last: [Action] = []
            for _ in 0...CrashLoopDetector.limit {
                last = send(.workerEnded(.signal(11), usefully: false))
                send(.restartDue)
                send(.workerServing)
            }
            return last
        }

        static func at(_ phase: MountMachine.Phase) -> Scenario {
            var scenario = Scenario()
            let steps: [(MountMachine.Phase, MountMachine.Event)] = [
                (.pinning, .start), (.connecting, .pinned), (.starting, .connected), (.stacking, .workerServing),
                (.ready, .stacked),
            ]
            for (reached, event) in steps {
                scenario.send(event)
                if reached == phase { return scenario }
            }
            return scenario
        }
    }

    static let error = SupervisorError(.pathNotFound, "no such path")
    static let making: [MountMachine.Phase] = [.pinning, .connecting, .starting, .stacking]

    @Test func anAdoptedMountWithoutAWorkerGetsOneAtOnce() {
        var served = Scenario()
        #expect(served.send(.adopted(restarts: 3, worker: .serving)) == [.publish(.ready)])
        #expect(served.machine.restarts == 3)
        var unserved = Scenario()
        #expect(unserved.send(.adopted(restarts: 3, worker: .starting)) == [.publish(.ready), .startWorker])
        #expect(unserved.send(.cacheRestarted) == [])
        #expect(unserved.send(.workerServing).contains(.reconnectCache))
    }

    @Test func makesAMountStepByStep() {
        var scenario = Scenario()
        #expect(scenario.send(.start) == [.publish(.provisioning), .pin])
        #expect(scenario.send(.pinned) == [.connect])
        #expect(scenario.send(.connected) == [.startWorker])
        #expect(scenario.send(.workerServing) == [.buildStack])
        #expect(scenario.machine.state == .provisioning)
        #expect(scenario.send(.stacked) == [.publish(.mounted), .publish(.ready), .answerReady(nil)])
        #expect(scenario.machine.state == .ready)
    }

    @Test func theStackIsBegunWhileTheFirstWorkerTakesOver() {
        var scenario = Scenario.at(.starting)
        #expect(scenario.send(.handingOver) == [.buildStack])
        #expect(scenario.send(.handingOver) == [])
        #expect(scenario.machine.phase == .stacking)
        var late = scenario
        #expect(scenario.send(.workerServing) == [], "not twice")
        #expect(scenario.send(.stacked).last == .answerReady(nil))
        // The other order: nobody is told before the worker has said that it serves.
        #expect(late.send(.stacked) == [])
        #expect(late.machine.state == .provisioning)
        #expect(late.send(.workerServing) == [.publish(.mounted), .publish(.ready), .answerReady(nil)])
    }

    /// A machine whose stack is complete before its first worker has said that it serves.
    private static func stackedBeforeServed() -> Scenario {
        var scenario = Scenario.at(.starting)
        scenario.send(.handingOver)
        scenario.send(.stacked)
        return scenario
    }

    @Test func aFirstWorkerThatDiesAfterTheStackIsReplacedBeforeAnybodyIsTold() {
        var scenario = Self.stackedBeforeServed()
        #expect(scenario.send(.workerEnded(.signal(9), usefully: true)) == [.startWorker])
        #expect(scenario.send(.handingOver) == [])
        #expect(scenario.send(.workerServing).last == .answerReady(nil))
    }

    /// The stacking thread has left, so no abort brings a failure that could be waited for.
    @Test func whatEndsACompleteStackThatNobodyServesEndsItAtOnce() {
        var late = Self.stackedBeforeServed()
        #expect(late.send(.deadlinePassed).last == .endWorkerAndCleanUp)
        var unwanted = Self.stackedBeforeServed()
        #expect(unwanted.send(.unmountRequested(UnmountOptions())).last == .endWorkerAndCleanUp)
        #expect(unwanted.send(.cleaned).last == .answerGone(nil))
        var hopeless = Self.stackedBeforeServed()
        var last: [Action] = []
        for _ in 0...CrashLoopDetector.limit where last.last != .endWorkerAndCleanUp {
            last = hopeless.send(.workerFailed("no program"))
            hopeless.send(.restartDue)
        }
        #expect(last.last == .endWorkerAndCleanUp)
    }

    @Test func anAbortThatComesTooLateForTheStackEndsTheMountAllTheSame() {
        var unwanted = Scenario.at(.starting)
        unwanted.send(.handingOver)
        #expect(unwanted.send(.unmountRequested(UnmountOptions())) == [.abortConnection])
        #expect(unwanted.send(.stacked).last == .endWorkerAndCleanUp)
        var late = Scenario.at(.starting)
        late.send(.handingOver)
        #expect(late.send(.deadlinePassed) == [.abortConnection])
        late.send(.stacked)
        guard case .cleaning(.failed(let error)) = late.machine.phase else {
            Issue.record("phase is \(late.machine.phase)")
            return
        }
        #expect(error.code == .timedOut)
    }

    /// That the worker serves saves nothing: its connection has ended.
    @Test func norIsAMountReadyThatWasAbortedAfterItsWorkerServed() {
        var late = Scenario.at(.stacking)
        #expect(late.send(.deadlinePassed) == [.abortConnection])
        #expect(late.send(.stacked).last == .endWorkerAndCleanUp)
        #expect(late.machine.failure?.code == .timedOut)
        var hopeless = Scenario.at(.stacking)
        #expect(hopeless.crashWorkers() == [.abortConnection])
        #expect(hopeless.machine.failure != nil)
        #expect(hopeless.send(.stacked).last == .endWorkerAndCleanUp)
    }

    /// From then on it may be where jobs work.
    @Test func whatEndsTheMakingComesTooLateForAViewThatIsBeingPutInItsPlace() {
        var late = Scenario.at(.stacking)
        #expect(late.send(.placing) == [])
        #expect(late.send(.deadlinePassed) == [])
        #expect(late.send(.stacked).last == .answerReady(nil))
        var unwanted = Scenario.at(.stacking)
        unwanted.send(.placing)
        #expect(unwanted.send(.unmountRequested(UnmountOptions())) == [])
        #expect(unwanted.send(.stacked).suffix(2) == [.publish(.unmounting), .unmount(.plain)])
        var hopeless = Scenario.at(.stacking)
        hopeless.send(.placing)
        #expect(hopeless.crashWorkers().first == .entomb)
        #expect(hopeless.send(.stacked).last == .answerReady(nil))
        #expect(hopeless.machine.worker == .quarantined && hopeless.machine.phase == .ready)
    }

    @Test func startingTwiceStartsOnce() {
        var scenario = Scenario()
        scenario.send(.start)
        #expect(scenario.send(.start) == [])
    }

    @Test(arguments: making) func aFailureCleansUpAndIsAnswered(phase: MountMachine.Phase) {
        var scenario = Scenario.at(phase)
        let actions = scenario.send(.failed(Self.error))
        #expect(actions == [.publish(.failed(reason: "no such path")), .abortConnection, .endWorkerAndCleanUp])
        #expect(scenario.send(.cleaned) == [.answerReady(Self.error), .answerGone(nil)])
        #expect(scenario.machine.state == .failed(reason: "no such path"))
    }

    @Test func lateEventsOfAFailedMountChangeNothing() {
        var scenario = Scenario.at(.stacking)
        scenario.send(.failed(Self.error))
        for event: MountMachine.Event in [
            .stacked, .workerServing, .workerEnded(.signal(9), usefully: true), .restartDue, .pinned,
        ] {
            #expect(scenario.send(event) == [])
        }
        scenario.send(.cleaned)
        #expect(scenario.machine.phase == .gone(.failed(Self.error)))
    }

    @Test func theDeadlineFreesTheStackingThreadAndIsTheCause() {
        var scenario = Scenario.at(.stacking)
        #expect(scenario.send(.deadlinePassed) == [.abortConnection])
        scenario.send(.failed(SupervisorError(.mountFailed, "ECONNABORTED")))
        guard case .cleaning(.failed(let error)) = scenario.machine.phase else {
            Issue.record("phase is \(scenario.machine.phase)")
            return
        }
        #expect(error.code == .timedOut)
    }

    @Test func theDeadlineMeansNothingOnceReady() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.deadlinePassed) == [])
        #expect(scenario.machine.state == .ready)
    }

    @Test(arguments: [MountMachine.Phase.stacking, .ready]) func aDeadWorkerIsReplacedAtOnce(phase: MountMachine.Phase)
    {
        var scenario = Scenario.at(phase)
        #expect(scenario.send(.workerEnded(.signal(9), usefully: true)) == [.startWorker])
        #expect(scenario.machine.restarts == 1)
        #expect(scenario.machine.lastRestartCause == "signal 9")
        #expect(scenario.send(.workerServing) == [])
        #expect(scenario.machine.phase == phase)
    }

    @Test func aWorkerThatRefusesIsReplacedToo() {
        var scenario = Scenario.at(.starting)
        #expect(scenario.send(.workerFailed("version")) == [.startWorker])
        #expect(scenario.send(.workerServing) == [.buildStack])
    }

    @Test func uselessDeathsInARowAreReplacedMoreAndMoreSlowly() {
        var scenario = Scenario.at(.ready)
        var delays: [Action] = []
        for _ in 0..<4 {
            delays += scenario.send(.workerEnded(.code(1), usefully: false))
            scenario.send(.restartDue)
            scenario.send(.workerServing)
        }
        #expect(
            delays == [
                .startWorker, .scheduleRestart(.milliseconds(200)), .scheduleRestart(.milliseconds(500)),
                .scheduleRestart(.seconds(1)),
            ])
    }

    @Test func aHealthyMinuteForgivesEarlierDeaths() {
        var scenario = Scenario.at(.ready)
        for _ in 0..<3 {
            scenario.send(.workerEnded(.code(1), usefully: false))
            scenario.send(.restartDue)
            scenario.send(.workerServing)
        }
        #expect(scenario.send(.workerEnded(.code(1), usefully: false), after: .seconds(61)) == [.startWorker])
    }

    private static func quarantined() -> Scenario {
        var scenario = Scenario.at(.ready)
        scenario.crashWorkers()
        return scenario
    }

    @Test func aQuarantinedMountIsBroughtBack() {
        var scenario = Self.quarantined()
        #expect(scenario.send(.resetRequested) == [.exhume, .startWorker, .publish(.ready)])
        #expect(scenario.send(.workerServing) == [.answerReset(nil)])
        #expect(scenario.machine.state == .ready)
    }

    @Test func aResetThatBringsNoWorkerIsAnError() {
        var scenario = Self.quarantined()
        scenario.send(.resetRequested)
        var last: [Action] = []
        for _ in 0...CrashLoopDetector.limit {
            last = scenario.send(.workerFailed("no program"))
            scenario.send(.restartDue)
        }
        #expect(last.first == .entomb)
        guard case .answerReset(.some) = last.last else {
            Issue.record("actions are \(last)")
            return
        }
    }

    @Test func aHealthyMountGetsANewWorkerByAReset() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.resetRequested) == [.killWorker])
        #expect(scenario.send(.workerEnded(.signal(9), usefully: false)) == [.startWorker])
        #expect(scenario.send(.workerServing) == [.answerReset(nil)])
    }

    @Test(arguments: making) func aMountThatIsBeingMadeCannotBeReset(phase: MountMachine.Phase) {
        var scenario = Scenario.at(phase)
        guard case .answerReset(.some(let error)) = scenario.send(.resetRequested).first else {
            Issue.record("it was accepted")
            return
        }
        #expect(error.code == .conflict)
    }

    @Test func anUnmountAnswersThoseWhoWaitForAReset() {
        var scenario = Scenario.at(.ready)
        scenario.send(.resetRequested)
        let actions = scenario.send(.unmountRequested(UnmountOptions()))
        #expect(actions.suffix(2) == [.publish(.unmounting), .unmount(.plain)])
        guard case .answerReset(.some) = actions.first else {
            Issue.record("actions are \(actions)")
            return
        }
    }

    @Test func aWorkerIsReplacedOnPurpose() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.replaceWorker(.upgrade)) == [.killWorker])
        #expect(scenario.machine.isServed)
        #expect(scenario.send(.workerEnded(.signal(9), usefully: true)) == [.startWorker])
        #expect(scenario.machine.lastRestartCause == "upgrade")
        #expect(scenario.send(.replaceWorker(.upgrade)) == [], "not while none serves")
    }

    @Test func aFailedUnmountBringsTheWorkerBackThatEndedMeanwhile() {
        var scenario = Scenario.at(.ready)
        scenario.send(.unmountRequested(UnmountOptions()))
        scenario.send(.workerEnded(.code(0), usefully: true))
        #expect(scenario.send(.unmountFailed(Self.error)).last == .startWorker)
    }

    @Test func aCrashLoopIsQuarantinedAndCanBeUnmounted() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.crashWorkers().first == .entomb, "its connection stays")
        guard case .quarantined = scenario.machine.state else {
            Issue.record("state is \(scenario.machine.state)")
            return
        }
        #expect(scenario.machine.state.name == "Failed")
        #expect(scenario.send(.unmountRequested(UnmountOptions())) == [.publish(.unmounting), .unmount(.plain)])
    }

    @Test func deathsSpreadOutAreNoCrashLoop() {
        var scenario = Scenario.at(.ready)
        for _ in 0..<20 {
            scenario.send(.workerEnded(.signal(9), usefully: false), after: .seconds(13))
            scenario.send(.restartDue)
            scenario.send(.workerServing)
        }
        #expect(scenario.machine.state == .ready)
        #expect(scenario.machine.restarts == 20)
    }

    @Test func usefulWorkersThatKeepEndingAreReplacedForEver() {
        var scenario = Scenario.at(.ready)
        for _ in 0..<50 {
            let actions = scenario.send(.workerEnded(.signal(9), usefully: true))
            #expect(!actions.contains(.abortConnection))
            scenario.send(.restartDue)
            scenario.send(.workerServing)
        }
        #expect(scenario.machine.state == .ready)
    }

    @Test func unmountsPlainly() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.unmountRequested(UnmountOptions())) == [.publish(.unmounting), .unmount(.plain)])
        #expect(scenario.send(.workerEnded(.code(0), usefully: true)) == [])
        #expect(scenario.send(.unmounted) == [.endWorkerAndCleanUp])
        #expect(scenario.send(.cleaned) == [.publish(.unmounted), .answerGone(nil)])
        #expect(scenario.machine.restarts == 0)
    }

    @Test func unmountsByForceWhatStaysBusy() {
        var scenario = Scenario.at(.ready)
        scenario.send(.unmountRequested(UnmountOptions()))
        #expect(scenario.send(.stillBusy) == [.unmount(.forced)])
        #expect(scenario.send(.unmounted) == [.endWorkerAndCleanUp])
    }

    @Test func aFailedUnmountIsAnErrorAndCanBeRepeated() {
        var scenario = Scenario.at(.ready)
        scenario.send(.unmountRequested(UnmountOptions()))
        #expect(scenario.send(.unmountFailed(Self.error)) == [.publish(.ready), .answerGone(Self.error)])
        #expect(scenario.send(.unmountRequested(UnmountOptions())) == [.publish(.unmounting), .unmount(.plain)])
    }

    @Test func anUnmountFreesTheStackingThread() {
        var scenario = Scenario.at(.stacking)
        #expect(scenario.send(.unmountRequested(UnmountOptions())) == [.abortConnection])
        #expect(scenario.send(.unmountRequested(UnmountOptions())) == [])
        #expect(scenario.send(.failed(Self.error)).last == .endWorkerAndCleanUp)
        #expect(scenario.send(.cleaned).last == .answerGone(nil))
    }

    @Test func anUnmountThatComesTooLateForTheStackingThreadEndsTheMountAllTheSame() {
        var scenario = Scenario.at(.stacking)
        scenario.send(.unmountRequested(UnmountOptions()))
        // Its connection has ended: nobody is told that it is ready.
        #expect(
            scenario.send(.stacked) == [
                .publish(.failed(reason: MountMachine.endedEarly.message)), .abortConnection, .endWorkerAndCleanUp,
            ])
        #expect(scenario.send(.cleaned) == [.answerReady(MountMachine.endedEarly), .answerGone(nil)])
    }

    @Test(arguments: [MountMachine.Phase.pinning, .starting])
    func anUnmountWaitsForNoOtherProcess(phase: MountMachine.Phase) {
        var scenario = Scenario.at(phase)
        #expect(scenario.send(.unmountRequested(UnmountOptions())).last == .endWorkerAndCleanUp)
        #expect(scenario.send(.pinned) == [])
        #expect(scenario.send(.cleaned).last == .answerGone(nil))
    }

    @Test func anUnmountBeforeThereIsAMountEndsTheMaking() {
        var scenario = Scenario.at(.connecting)
        scenario.send(.unmountRequested(UnmountOptions()))
        #expect(scenario.send(.connected).last == .endWorkerAndCleanUp)
        #expect(scenario.send(.cleaned).last == .answerGone(nil))
    }

    @Test func aCacheOwnerThatEndsBeforeTheFirstTakeoverCostsNoSocket() {
        var scenario = Scenario.at(.connecting)
        #expect(scenario.send(.cacheRestarted) == [])
        scenario.send(.connected)
        #expect(scenario.send(.workerServing) == [.reconnectCache, .buildStack])
    }

    @Test func aCacheOwnerThatEndsDuringATakeoverCostsTheWorkerNoSocket() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.workerEnded(.signal(9), usefully: true)) == [.startWorker])
        #expect(scenario.send(.cacheRestarted) == [])
        #expect(scenario.send(.workerServing) == [.reconnectCache])
    }

    @Test func aNewCacheOwnerIsToldToAServingWorkerOnly() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.cacheRestarted) == [.reconnectCache])
        scenario.send(.workerEnded(.signal(9), usefully: true))
        #expect(scenario.send(.cacheRestarted) == [])
    }

    // MARK: Succession

    @Test func aViewYieldsAndIsRetired() {
        var scenario = Scenario.at(.ready)
        #expect(scenario.send(.yield) == [.publish(.quiescing)])
        #expect(scenario.send(.superseded) == [])
        #expect(scenario.machine.phase == .retired)
        // Its worker is replaced for those who have it open.
        #expect(scenario.send(.workerEnded(.signal(9), usefully: true)).contains(.startWorker))
        #expect(scenario.send(.released) == [.endWorkerAndCleanUp])
        #expect(scenario.send(.cleaned) == [.publish(.unmounted), .answerGone(nil)])
    }

    @Test func aRetiredViewEndsAtOnce() {
        var scenario = Scenario.at(.ready)
        scenario.send(.yield)
        scenario.send(.superseded)
        #expect(scenario.send(.unmountRequested(UnmountOptions())) == [.abortConnection, .endWorkerAndCleanUp])
    }

    @Test func aViewThatKeepsItsPlaceIsAsItWas() {
        var scenario = Scenario.at(.ready)
        scenario.send(.yield)
        #expect(scenario.send(.stayed) == [.publish(.ready)])
        #expect(scenario.send(.superseded) == [] && scenario.send(.released) == [])
        #expect(scenario.machine.phase == .ready)
    }

    @Test func anUnmountWaitsForTheExchange() {
        var stays = Scenario.at(.ready)
        stays.send(.yield)
        #expect(stays.send(.unmountRequested(UnmountOptions(force: true))) == [])
        #expect(stays.send(.stayed) == [.publish(.ready), .publish(.unmounting), .unmount(.forced)])
        var goes = Scenario.at(.ready)
        goes.send(.yield)
        goes.send(.unmountRequested(UnmountOptions()))
        #expect(goes.send(.superseded) == [.answerGone(MountMachine.succeeded)])
    }

    @Test(arguments: making) func onlyAReadyViewYields(phase: MountMachine.Phase) {
        var scenario = Scenario.at(phase)
        #expect(scenario.send(.yield) == [])
        #expect(scenario.machine.phase == phase)
    }
}
