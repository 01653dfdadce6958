import Testing

@testable import Supervision

@Suite struct ViewPlanTests {
    typealias Fate = ViewPlan.Fate

    private static func record(
        _ id: String, _ phase: MountRecord.Phase, overlay: UInt64?, replaces: String? = nil, made: [String] = [],
        mount: String = "00000000-0000-0000-0000-00000000000a"
    ) -> MountRecord {
        MountRecord(
            phase: phase, bootID: "boot", id: id, mountID: mount, replaces: replaces, request: MountRequest(path: "/"),
            origin: "o", mountpointRoot: "/mnt", mountpointName: "a", madeComponents: made, uid: 0, gid: 0,
            createdAt: 5, commit: "", commitTime: 0, root: "", rootKind: 0, assurance: 0, mountIdentity: overlay,
            restarts: 0)
    }

    private func fates(_ records: [MountRecord], attached: Set<UInt64>) -> [String: Fate] {
        Dictionary(
            uniqueKeysWithValues: ViewPlan.fates(of: records) { attached.contains($0) }.map { ($0.record.id, $0.fate) })
    }

    @Test func mountsWithOneViewAreAsRecorded() {
        let records: [MountRecord] = [
            Self.record("a", .ready, overlay: 1), Self.record("b", .making, overlay: 2),
            Self.record("c", .unmounting, overlay: 3), Self.record("d", .failed, overlay: nil),
        ].enumerated().map { number, record in
            var record = record
            record.mountID = "00000000-0000-0000-0000-00000000000\(number)"
            return record
        }
        let all: Set<Fate> = Set(fates(records, attached: [1, 2, 3]).values)
        #expect(all == [.asRecorded])
    }

    /// Every moment of an exchange at which the supervisor can die, in order.
    @Test func theMountTableDecides() {
        let old = Self.record("a", .ready, overlay: 1, made: ["a"])
        let steps: [(MountRecord, MountRecord?, Set<UInt64>, [String: Fate])] = [
            // The next view is being made.
            (old, Self.record("b", .making, overlay: nil, replaces: "a"), [1], ["a": .asRecorded, "b": .takenBack]),
            (old, Self.record("b", .making, overlay: 2, replaces: "a"), [1], ["a": .asRecorded, "b": .takenBack]),
            // It lies beneath the old one.
            (
                old, Self.record("b", .making, overlay: 2, replaces: "a"), [1, 2],
                ["a": .retired(isAttached: true), "b": .succeeded]
            ),
            (
                old, Self.record("b", .making, overlay: 2, replaces: "a"), [2],
                ["a": .retired(isAttached: false), "b": .succeeded]
            ),
            // What each of them is was written down, one after the other.
            (
                old, Self.record("b", .ready, overlay: 2, replaces: "a"), [2],
                ["a": .retired(isAttached: false), "b": .asRecorded]
            ),
            (
                Self.record("a", .retired, overlay: 1), Self.record("b", .ready, overlay: 2, replaces: "a"), [2],
                ["a": .retired(isAttached: false), "b": .asRecorded]
            ),
            // The mount is ended while the old view lives.
            (
                Self.record("a", .retired, overlay: 1), Self.record("b", .unmounting, overlay: 2, replaces: "a"), [],
                ["a": .retired(isAttached: false), "b": .asRecorded]
            ),
            (Self.record("a", .retired, overlay: 1), nil, [], ["a": .retired(isAttached: false)]),
        ]
        for (number, (old, next, attached, wanted)) in steps.enumerated() {
            #expect(fates([old] + (next.map { [$0] } ?? []), attached: attached) == wanted, "step \(number)")
        }
    }

    @Test func aViewInheritsWithThePlace() throws {
        var old = Self.record("a", .ready, overlay: 1, made: ["a"])
        old.isMountpointLocked = true
        old.leaseExpiresAt = 77
        old.createdAt = 3
        let next = Self.record("b", .making, overlay: 2, replaces: "a")
        let plan = ViewPlan.fates(of: [old, next]) { $0 == 2 }
        let heir = try #require(plan.first { $0.record.id == "b" }?.record)
        #expect(heir.phase == .ready && heir.madeComponents == ["a"] && heir.isMountpointLocked == true)
        #expect(heir.leaseExpiresAt == 77 && heir.createdAt == 3)
        let left = try #require(plan.first { $0.record.id == "a" }?.record)
        #expect(left.madeComponents.isEmpty && left.isMountpointLocked == nil && left.leaseExpiresAt == nil)
    }

    /// What an old view left behind must not be taken for the mount.
    @Test func ofSeveralViewsTheOneWithThePlaceIsTheMount() {
        for phase in [MountRecord.Phase.unmounting, .ready] {
            let records = [Self.record("a", phase, overlay: 1), Self.record("c", .ready, overlay: 3, replaces: "b")]
            #expect(fates(records, attached: [3]) == ["a": .retired(isAttached: false), "c": .asRecorded])
        }
    }

    @Test func threeViewsInARow() {
        let records = [
            Self.record("a", .retired, overlay: 1), Self.record("b", .ready, overlay: 2, replaces: "a"),
            Self.record("c", .making, overlay: 3, replaces: "b"),
        ]
        #expect(
            fates(records, attached: [3]) == [
                "a": .retired(isAttached: false), "b": .retired(isAttached: false), "c": .succeeded,
            ])
        #expect(
            fates(records, attached: [2]) == [
                "a": .retired(isAttached: false), "b": .asRecorded, "c": .takenBack,
            ])
    }
}
