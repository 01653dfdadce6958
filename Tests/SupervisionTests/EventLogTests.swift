import LinuxSystem
import Testing

@testable import Supervision

@Suite struct EventLogTests {
    private func log(capacity: Int = 8, firstID: UInt64 = 100) -> (EventLog, Metrics) {
        let metrics = Metrics()
        return (EventLog(counting: metrics.events, capacity: capacity, firstID: firstID), metrics)
    }

    @Test func eventsComeInOrderAndAreCounted() {
        let (log, metrics) = log()
        log.record(.mountReady, job: "a", duration: .milliseconds(3), details: [("commit", "c")])
        log.record(.takeover, cause: "signal 9")
        let batch = log.events(after: 0)
        #expect(batch.events.map(\.id) == [100, 101])
        #expect(batch.events.map(\.kind) == [.mountReady, .takeover])
        #expect(batch.events[0].duration == .milliseconds(3))
        #expect(batch.events[0].details == [SupervisionEvent.Detail("commit", "c")])
        #expect(!batch.isGapBefore)
        #expect(metrics.events.value(.takeover) == 1)
        #expect(metrics.events.value(.mountFailed) == 0)
    }

    @Test func theRingForgetsTheOldestAndSaysSo() {
        let (log, _) = log(capacity: 3)
        for number in 0..<5 { log.record(.spareLost, cause: "\(number)") }
        #expect(log.events(after: 0).events.map(\.cause) == ["2", "3", "4"])
        #expect(!log.events(after: 0).isGapBefore)
        #expect(log.events(after: 101).events.map(\.cause) == ["2", "3", "4"])
        #expect(!log.events(after: 101).isGapBefore)
        #expect(log.events(after: 100).isGapBefore)
        #expect(log.events(after: 103).events.map(\.cause) == ["4"])
        #expect(log.events(after: 104) == EventLog.Batch(events: [], isGapBefore: false))
        #expect(log.events(after: 101, limit: 2).events.map(\.cause) == ["2", "3"])
    }

    @Test func anIDOfAnotherSupervisorIsAGap() {
        let (log, _) = log()
        log.record(.cacheStarted)
        for foreign: UInt64 in [5, 98, 101, .max] {
            let batch = log.events(after: foreign)
            #expect(batch.isGapBefore)
            #expect(batch.events.count == 1)
        }
    }

    @Test func textIsBounded() {
        let (log, _) = log()
        log.record(
            .mountFailed, job: String(repeating: "ü", count: 2000), cause: String(repeating: "x", count: 100_000),
            details: (0..<50).map { ("n\($0)", String(repeating: "y", count: 1000)) })
        let event = log.events(after: 0).events[0]
        #expect(event.cause?.utf8.count == SupervisionEvent.maximumText)
        #expect((event.job?.utf8.count ?? 0) <= SupervisionEvent.maximumText + 3)
        #expect(event.details.count == SupervisionEvent.maximumDetails)
        #expect(event.details.allSatisfy { $0.value.utf8.count <= SupervisionEvent.maximumText })
    }

    @Test func aSubscriberSeesEverythingInOrderWhoeverRecords() async {
        let (log, _) = log(capacity: 4096)
        let subscription = log.subscribe()
        let reader = Task {
            var seen: [UInt64] = []
            for await batch in subscription {
                #expect(!batch.isGapBefore)
                seen += batch.events.map(\.id)
            }
            return seen
        }
        await withTaskGroup { group in
            for _ in 0..<4 { group.addTask { for _ in 0..<200 { log.record(.takeover) } } }
        }
        log.finish()
        #expect(await reader.value == Array(100..<900))
    }

    @Test func aSlowSubscriberIsToldOfTheGap() async {
        let (log, _) = log(capacity: 4)
        var reader = log.subscribe().makeAsyncIterator()
        for number in 0..<10 { log.record(.spareLost, cause: "\(number)") }
        let batch = await reader.next()
        #expect(batch?.isGapBefore == true)
        #expect(batch?.events.map(\.cause) == ["6", "7", "8", "9"])
    }

    @Test func aSubscriberThatGoesAwayIsForgotten() async {
        let (log, _) = log()
        let reader = Task { for await _ in log.subscribe() {} }
        let other = log.subscribe()
        var iterator = other.makeAsyncIterator()
        other.nudge()
        #expect(await iterator.next()?.events.isEmpty == true)
        reader.cancel()
        await reader.value
        #expect(log.subscriberCount == 1)
    }
}
