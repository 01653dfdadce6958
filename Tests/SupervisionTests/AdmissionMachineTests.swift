import Testing

@testable import Supervision

@Suite struct AdmissionMachineTests {
    static let roomy = AdmissionMachine.Room(bytes: 1 << 40, inodes: 1 << 30, memory: 1 << 40)

    static func machine(_ change: (inout AdmissionMachine.Limits) -> Void) -> AdmissionMachine {
        var limits = AdmissionMachine.Limits()
        change(&limits)
        return AdmissionMachine(limits)
    }

    static func isRefused(_ decision: AdmissionMachine.Decision, _ word: String) -> Bool {
        guard case .refuse(let reason, let seconds) = decision else { return false }
        return reason.contains(word) && seconds > 0
    }

    @Test func withoutLimitsEverybodyGetsIn() {
        #expect(Self.machine { _ in }.decide(mounts: 10_000, ofUser: 10_000, waiting: 0, room: .init()) == .admit)
    }

    @Test func theLimitsHoldForAllAndForEachUser() {
        let machine = Self.machine { ($0.mounts, $0.mountsPerUser) = (10, 3) }
        #expect(machine.decide(mounts: 9, ofUser: 2, waiting: 0, room: Self.roomy) == .admit)
        #expect(Self.isRefused(machine.decide(mounts: 10, ofUser: 0, waiting: 0, room: Self.roomy), "10 mounts"))
        #expect(Self.isRefused(machine.decide(mounts: 5, ofUser: 3, waiting: 0, room: Self.roomy), "this user"))
    }

    @Test func theQueueIsBounded() {
        let machine = Self.machine { ($0.mounts, $0.queue) = (1, 2) }
        #expect(machine.decide(mounts: 1, ofUser: 0, waiting: 1, room: Self.roomy) == .wait)
        #expect(Self.isRefused(machine.decide(mounts: 1, ofUser: 0, waiting: 2, room: Self.roomy), "1 mounts"))
    }

    @Test func pressureRefusesAtOnceAlsoWithAQueue() {
        let machine = Self.machine {
            ($0.freeBytes, $0.freeInodes, $0.freeMemory, $0.queue) = (100 << 20, 50, 1 << 30, 9)
        }
        var room = Self.roomy
        room.bytes = 99 << 20
        #expect(Self.isRefused(machine.decide(mounts: 0, ofUser: 0, waiting: 0, room: room), "disk"))
        room = Self.roomy
        room.inodes = 49
        #expect(Self.isRefused(machine.decide(mounts: 0, ofUser: 0, waiting: 0, room: room), "inodes"))
        room = Self.roomy
        room.memory = 1
        #expect(Self.isRefused(machine.decide(mounts: 0, ofUser: 0, waiting: 0, room: room), "memory"))
        #expect(
            machine.decide(mounts: 0, ofUser: 0, waiting: 0, room: .init()) == .admit,
            "what cannot be told refuses nobody")
    }

    @Test func draining() {
        var machine = Self.machine { _ in }
        machine.isDraining = true
        #expect(Self.isRefused(machine.decide(mounts: 0, ofUser: 0, waiting: 0, room: Self.roomy), "drained"))
    }

    @Test func readsMeminfo() {
        func available(_ text: String) -> UInt64? { RoomProbe.available(meminfo: Array(text.utf8)) }
        #expect(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\nBuffers: 1 kB\n") == 2 << 20)
        #expect(available("MemAvailable: 1 kB\n") == 1 << 10)
        for none in ["", "MemTotal: 9 kB", "MemTotal: 9 kB\n", "MemAvailable:", "MemAvailable: x kB\n"] {
            #expect(available(none) == nil)
        }
    }
}
