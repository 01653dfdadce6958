import LinuxSystem
import Testing

@testable import Supervision

@Suite struct SweepMachineTests {
    static let upper = StaleThing.upper(.random())
    static let mount = StaleThing.mount(.random(), path: "/m", tableID: 7)

    @Test func atTheStartEverythingIsStaleAndWhatLiesOnTopGoesFirst() {
        var machine = SweepMachine(startedAt: 100)
        #expect(machine.handle(found: [Self.upper, Self.mount], atStart: true) == [Self.mount, Self.upper])
        #expect(machine.handle(found: [Self.upper], atStart: false) == [], "taken away already; it counts anew")
    }

    @Test func whatIsBeingMadeIsLeftAlone() {
        var machine = SweepMachine(startedAt: 100)
        #expect(machine.handle(found: [Self.upper], atStart: false) == [])
        #expect(machine.handle(found: [Self.mount], atStart: false) == [])
        #expect(machine.handle(found: [Self.upper, Self.mount], atStart: false) == [Self.mount])
    }

    @Test func aWorkerOfThisSupervisorIsNoStrangerAtTheStart() {
        var machine = SweepMachine(startedAt: 100)
        let old = StaleThing.worker(ProcessIdentity(pid: 1, startTime: 99), socket: "/old")
        let own = StaleThing.worker(ProcessIdentity(pid: 2, startTime: 100), socket: "/own")
        #expect(machine.handle(found: [old, own], atStart: true) == [old])
        #expect(machine.handle(found: [own], atStart: false) == [own], "it has had time to come to its mount")
    }
}
