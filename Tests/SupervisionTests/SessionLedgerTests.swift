import GitObjects
import LinuxSystem
import Testing
import WorkerProtocol

@testable import Supervision

@Suite struct SessionLedgerTests {
    private func memory() throws -> SessionMemory {
        try SessionMemory(
            initRequest: [1], initReply: [2],
            parameters: SessionParameters(
                root: .emptyTreeSHA1, time: 0, uid: 0, gid: 0, probeName: ".probe", requestTimeout: 1, minimumRate: 1),
            blockCapacity: 4)
    }

    @Test func sumsDoNotFallWhenAMountEnds() throws {
        let ledger = SessionLedger()
        let (one, two) = (try memory(), try memory())
        ledger.exchange(nil, for: one)
        ledger.exchange(nil, for: two)
        one.note(.read, took: 1000)
        two.note(.read, took: 2000)
        two.note(.damaged)
        one.add(.resent, 3)
        two.add(.unlogged, 4)
        two.add(.broughtAhead, 9)
        two.add(.usedAhead, 7)
        let before = ledger.totals
        #expect(before.counts[.read].count == 2 && before.counts[.read].sum == 3000)
        #expect(before.counts[.damaged] == 1 && before.resent == 3 && before.unloggedLines == 4)
        ledger.exchange(one, for: nil)
        #expect(ledger.totals.counts == before.counts && ledger.totals.resent == 3)
        // It is gone: once.
        ledger.exchange(one, for: nil)
        #expect(ledger.totals.counts == before.counts && ledger.totals.resent == 3)
        let three = try memory()
        three.note(.read, took: 1)
        ledger.exchange(two, for: three)
        #expect(ledger.totals.counts[.read].count == 3 && ledger.totals.unloggedLines == 4)
        #expect(ledger.totals.broughtAhead == 9 && ledger.totals.usedAhead == 7)
        ledger.exchange(three, for: three)
        #expect(ledger.totals.counts[.read].count == 3)
    }
}
