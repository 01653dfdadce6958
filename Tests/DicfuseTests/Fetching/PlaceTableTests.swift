import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Health of places")
struct PlaceTableTests {
    private func at(_ milliseconds: Int) -> Deadline {
        Deadline(nanoseconds: 1_000_000_000_000).advanced(by: .milliseconds(milliseconds))
    }

    /// Fails `index` until it is left alone.
    private func fail(_ table: Table, _ index: Int, _ now: Deadline) -> [PlaceTable.Change] {
        (0..<PlaceTable.outagesToBreak).flatMap { _ in table.failed(index, .unreachable, now: now) }
    }

    @Test("The first place is asked while it is well; one that fails comes later, until it has been well for a while")
    func order() {
        let table = Table(["a", "b"])
        #expect(table.choose(at(0)) == .place(0))
        #expect(table.failed(0, .corrupt, now: at(0)) == [])
        #expect(table.choose(at(1)) == .place(1))
        #expect(table.choose(at(1), tried: [1]) == .place(0))
        #expect(table.choose(at(1), tried: [0, 1]) == .exhausted)
        #expect(table.choose(at(10_001)) == .place(0))
        #expect(table.places[0].failures == [.corrupt: 1])
    }

    @Test("The status has every cause of a failure from the beginning")
    func causes() {
        let table = Table(["a", "b"])
        var expected = Dictionary(uniqueKeysWithValues: PlaceFailure.allCases.map { ($0.rawValue, UInt64(0)) })
        #expect(table.report.map(\.failures) == [expected, expected])
        _ = table.failed(1, .throttled, now: at(0))
        #expect(table.report[0].failures == expected)
        expected["throttled"] = 1
        #expect(table.report[1].failures == expected)
    }

    @Test("A place that does not answer is left alone, but for one probe at a time")
    func breaker() {
        let table = Table(["a", "b"])
        #expect(fail(table, 0, at(0)) == [.placeFailed(0)])
        #expect(table.choose(at(1), tried: [1]) == .exhausted)
        #expect(table.choose(at(300), tried: [1]) == .place(0))
        // Somebody else while the probe is under way.
        #expect(table.choose(at(301), tried: [1]) == .exhausted)
        #expect(table.failed(0, .unreachable, now: at(302)) == [])
        #expect(table.choose(at(700), tried: [1]) == .exhausted)
        #expect(table.choose(at(900), tried: [1]) == .place(0))
        #expect(table.succeeded(0, bytes: 1, took: .milliseconds(5)) == [.placeRecovered(0)])
        #expect(table.choose(at(901), tried: [1]) == .place(0))
    }

    @Test("When nothing answers, requests wait as long as a restart takes, and then fail at once")
    func offline() {
        let table = Table(["a"])
        #expect(fail(table, 0, at(0)) == [.placeFailed(0), .offline])
        #expect(table.isOffline)
        #expect(table.choose(at(10)) == .wait(until: at(110)))
        #expect(table.choose(at(200)) == .wait(until: at(250)))
        #expect(table.choose(at(250)) == .place(0))
        _ = table.failed(0, .unreachable, now: at(260))
        // The probe's pause grows; between probes nobody waits any more.
        #expect(table.choose(at(1000)) == .place(0))
        _ = table.failed(0, .unreachable, now: at(1001))
        #expect(table.choose(at(1100)) == .offline(since: at(0)))
        #expect(table.choose(at(2100)) == .place(0))
        #expect(table.succeeded(0, bytes: 0, took: .zero) == [.placeRecovered(0), .online])
        #expect(!table.isOffline)
    }

    @Test("The pause between probes has an end however long the outage")
    func longestPause() {
        let table = Table(["a"])
        _ = fail(table, 0, at(0))
        var now = 0
        for _ in 0..<20 {
            now += 10_000
            #expect(table.choose(at(now)) == .place(0))
            _ = table.failed(0, .timedOut, now: at(now))
        }
        #expect(table.choose(at(now + 9_999)) == .offline(since: at(0)))
        #expect(table.choose(at(now + 10_000)) == .place(0))
    }

    @Test("An error that is an answer is no outage, and ends one")
    func answers() {
        let table = Table(["a"])
        for _ in 0..<10 { #expect(table.failed(0, .serverError, now: at(0)) == []) }
        #expect(table.choose(at(1)) == .place(0))
        _ = fail(table, 0, at(2))
        #expect(table.choose(at(400)) == .place(0))
        #expect(table.failed(0, .serverError, now: at(401)) == [.placeRecovered(0), .online])
    }

    @Test("A place that asks for patience gets it")
    func paused() {
        let table = Table(["a", "b"])
        _ = table.failed(0, .throttled, pause: .seconds(2), now: at(0))
        #expect(table.choose(at(1)) == .place(1))
        _ = table.failed(1, .throttled, pause: .seconds(3), now: at(1))
        #expect(table.choose(at(2)) == .wait(until: at(2000)))
        #expect(table.choose(at(2000)) == .place(0))
    }

    @Test("What was under way when a place broke does not lengthen its pause")
    func lateFailures() {
        let table = Table(["a"])
        _ = fail(table, 0, at(0))
        for _ in 0..<30 { _ = table.failed(0, .unreachable, now: at(10)) }
        #expect(table.choose(at(250)) == .place(0))
    }
}

/// A reference to a table, so that expectations can change it.
private final class Table {
    private var table: PlaceTable

    init(_ bases: [String]) { table = PlaceTable(bases) }

    var places: [PlaceTable.Place] { table.places }
    var isOffline: Bool { table.isOffline }
    var report: [StatusReport.Place] { table.report }

    func choose(_ now: Deadline, tried: Set<Int> = []) -> PlaceTable.Choice { table.choose(now, tried: tried) }

    func succeeded(_ index: Int, bytes: UInt64, took: Duration) -> [PlaceTable.Change] {
        table.succeeded(index, bytes: bytes, took: took)
    }

    func failed(
        _ index: Int, _ failure: PlaceFailure, pause: Duration? = nil, now: Deadline
    ) -> [PlaceTable.Change] {
        table.failed(index, failure, pause: pause, now: now)
    }
}
