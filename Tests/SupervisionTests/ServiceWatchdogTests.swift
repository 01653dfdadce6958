import LinuxSystem
import Testing

@testable import Supervision

@Suite(.timeLimit(.minutes(1))) struct ServiceWatchdogTests {
    /// What a test lets through, one proof at a time.
    private actor Gate {
        private var waiting: [CheckedContinuation<Void, Never>] = []
        private(set) var asked = 0

        func pass() async {
            asked += 1
            await withCheckedContinuation { waiting.append($0) }
        }

        func open() {
            for waiter in waiting { waiter.resume() }
            waiting = []
        }

        func isAsked(_ count: Int) -> Bool { asked >= count && !waiting.isEmpty }
    }

    @Test func oneThatHangsIsNotKeptAlive() async throws {
        let gate = Gate()
        let told = Guarded(0)
        let watchdog = ServiceWatchdog(prove: { await gate.pass() }, tell: { told.with { $0 += 1 } })
        watchdog.beat()
        while await !gate.isAsked(1) { await Task.yield() }
        // However often the thread asks, nothing is said, and no second proof queues behind the first.
        for _ in 0..<100 { watchdog.beat() }
        #expect(told.with { $0 } == 0)
        #expect(await gate.asked == 1)
        await gate.open()
        while told.with({ $0 }) < 1 { await Task.yield() }
        // It goes on once that is through.
        while await !gate.isAsked(2) {
            watchdog.beat()
            await Task.yield()
        }
        await gate.open()
        while told.with({ $0 }) < 2 { await Task.yield() }
    }

    @Test func theHeartbeatBeatsWithoutMounts() async throws {
        let heartbeat = try Heartbeat()
        let (beats, source) = AsyncStream<Void>.makeStream()
        heartbeat.watchLife(every: .milliseconds(50)) { source.yield() }
        var count = 0
        for await _ in beats {
            count += 1
            if count == 4 { break }
        }
        #expect(count == 4)
    }
}
