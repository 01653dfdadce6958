import LinuxSystem
import Testing

@testable import Supervision

@Suite struct LeaseMachineTests {
    static let start = Deadline(nanoseconds: 1_000_000_000_000)

    func at(_ seconds: Int) -> Deadline {
        Self.start.advanced(by: .seconds(seconds))
    }

    @Test func theTimeToLiveEndsUnlessItIsRenewed() {
        var machine = LeaseMachine(Lease(timeToLive: 10), now: Self.start, served: 0)
        #expect(machine.next == at(10))
        #expect(machine.due(now: at(9), served: 5) == .wait(until: at(10)))
        machine.renew(now: at(9))
        #expect(machine.due(now: at(10), served: 5) == .wait(until: at(19)))
        machine.renew(now: at(10), timeToLive: 100)
        #expect(machine.next == at(110))
        #expect(machine.due(now: at(110), served: 9) == .end(cause: "its time to live is over"))
    }

    @Test func whatIsServedOrHeldIsNotIdle() {
        var machine = LeaseMachine(Lease(idleTime: 10), now: Self.start, served: 7)
        #expect(machine.due(now: at(10), served: 8) == .wait(until: at(20)), "something was read")
        #expect(machine.due(now: at(20), served: 8) == .lookForHolders)
        #expect(machine.holdersFound(true, now: at(20)) == .wait(until: at(30)))
        #expect(machine.due(now: at(30), served: 8) == .lookForHolders)
        #expect(machine.holdersFound(false, now: at(30)) == .end(cause: "nobody has used it for 10 s"))
    }

    @Test func theNextSupervisorKnowsTheSameEnd() {
        let machine = LeaseMachine(Lease(timeToLive: 10), now: at(5), served: 0, expiresAt: at(10))
        #expect(machine.next == at(10))
    }

    @Test func aMountThatIsOnlyBoundHasNoAlarm() {
        #expect(LeaseMachine(Lease(isBoundToClient: true), now: Self.start, served: 0).next == nil)
    }
}
