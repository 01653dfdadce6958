import CacheProtocol
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Flights")
struct FlightsTests {
    typealias Table = Flights<String, Int, String>

    private func waiter(_ request: UInt64, owner: UInt64 = 1, deadline: UInt64 = 100) -> Table.Waiter {
        Table.Waiter(
            id: WaiterID(owner: owner, request: request), deadline: Deadline(nanoseconds: deadline),
            recipient: "\(owner).\(request)")
    }

    private let now = Deadline(nanoseconds: 1)

    private func isStart(_ joined: Table.Joined) -> Bool {
        if case .start = joined { true } else { false }
    }

    @Test("The first starts, the others wait, all are answered once")
    func singleflight() {
        var table = Table()
        let outcome1 = table.join("a", waiter(1), now: now)
        #expect(isStart(outcome1))
        guard case .waiting(sooner: false) = table.join("a", waiter(2), now: now) else {
            Issue.record("the second must wait")
            return
        }
        guard case .waiting(sooner: true) = table.join("a", waiter(3, owner: 2, deadline: 50), now: now) else {
            Issue.record("the third has an earlier deadline")
            return
        }
        let outcome2 = table.join("b", waiter(4), now: now)
        #expect(isStart(outcome2))
        let outcome3 = table.land("a", 7).map(\.recipient).sorted()
        #expect(outcome3 == ["1.1", "1.2", "2.3"])
        #expect(table.waiters == 1)
        let outcome4 = table.land("a", 7)
        #expect(outcome4.isEmpty)
    }

    @Test("What has landed is answered until it is forgotten")
    func landed() {
        var table = Table()
        _ = table.join("a", waiter(1), now: now)
        _ = table.land("a", 7)
        guard case .landed(7) = table.join("a", waiter(2), now: now) else {
            Issue.record("the value is known")
            return
        }
        table.forget("a")
        let outcome5 = table.join("a", waiter(2), now: now)
        #expect(isStart(outcome5))
        table.forget("a")
        #expect(table.flying == 1)
    }

    @Test("A failure is remembered for its time")
    func failures() {
        var table = Table(memory: .nanoseconds(10))
        _ = table.join("a", waiter(1), now: now)
        let error = CacheError(.corrupt, "x")
        let outcome6 = table.fail("a", error, now: now, remember: true)
        #expect(outcome6.count == 1)
        guard case .failed(error) = table.join("a", waiter(1), now: Deadline(nanoseconds: 10)) else {
            Issue.record("the failure is fresh")
            return
        }
        let outcome7 = table.join("a", waiter(1), now: Deadline(nanoseconds: 11))
        #expect(isStart(outcome7))
        _ = table.fail("a", error, now: now, remember: false)
        let outcome8 = table.join("a", waiter(1), now: now)
        #expect(isStart(outcome8))
    }

    @Test("Who cancels, leaves or is late is not answered, and the flight goes on")
    func leaving() {
        var table = Table()
        _ = table.join("a", waiter(1), now: now)
        _ = table.join("a", waiter(2), now: now)
        _ = table.join("a", waiter(1, owner: 2), now: now)
        _ = table.join("a", waiter(9, owner: 3, deadline: 20), now: now)
        let outcome9 = table.cancel(WaiterID(owner: 1, request: 1))
        #expect(outcome9)
        let outcome10 = table.cancel(WaiterID(owner: 1, request: 1))
        #expect(!outcome10)
        table.leave(owner: 2)
        #expect(table.earliestDeadline == Deadline(nanoseconds: 20))
        let outcome11 = table.expire(now: Deadline(nanoseconds: 19))
        #expect(outcome11.isEmpty)
        let outcome12 = table.expire(now: Deadline(nanoseconds: 20)).map(\.recipient)
        #expect(outcome12 == ["3.9"])
        #expect(table.earliestDeadline == Deadline(nanoseconds: 100))
        #expect(table.flying == 1)
        let outcome13 = table.land("a", 1).map(\.recipient)
        #expect(outcome13 == ["1.2"])
    }

    @Test("A number under way cannot be used again, and nobody waits for more than the limit")
    func bounds() {
        var table = Table(limit: 2)
        _ = table.join("a", waiter(1), now: now)
        guard case .duplicate = table.join("b", waiter(1), now: now) else {
            Issue.record("the number is taken")
            return
        }
        _ = table.join("b", waiter(2), now: now)
        guard case .tooMany = table.join("c", waiter(3), now: now) else {
            Issue.record("two are the limit")
            return
        }
        #expect(table.flying == 2)
        let outcome14 = table.join("c", waiter(3, owner: 2), now: now)
        #expect(isStart(outcome14))
        for request in 0..<10 { _ = table.join("d", waiter(UInt64(request), owner: 0), now: now) }
        #expect(table.waiting(of: 0) == 10)
    }
}
