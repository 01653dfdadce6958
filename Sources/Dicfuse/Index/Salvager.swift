import LinuxSystem

/// Brings what is intact in a damaged index into the one that replaces it, on a thread of its own, while serving goes on.
final class Salvager: Sendable {
    private struct State {
        var running = 0
        var stopping = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var threads: [SystemThread] = []
    }

    private let origin: String
    private let counters: Counters
    private let log: Log
    private let state = Guarded(State())

    init(origin: String, counters: Counters, log: Log) {
        self.origin = origin
        self.counters = counters
        self.log = log
    }

    var isBusy: Bool { state.with { $0.running > 0 } }

    /// - Parameters:
    ///   - aside: the directory of the damaged index.
    ///   - writer: of the index that takes its place.
    func start(_ aside: String, into writer: IndexWriter) {
        state.with { $0.running += 1 }
        do throws(SystemError) {
            let thread = try SystemThread.start(name: "index-salvage", stackSize: 1 << 20) { [self] in
                run(aside + "/data.mdb", writer)
                end()
            }
            state.with { $0.threads.append(thread) }
        } catch {
            log.error("index-not-salvaged", ["origin": origin, "cause": "\(error)"])
            end()
        }
    }

    /// Suspends while anything is being brought over: what looks absent may be about to come.
    func settled(isolation: isolated (any Actor)? = #isolation) async {
        guard isBusy else { return }
        await withCheckedContinuation { continuation in
            let isOver = state.with { state in
                if state.running == 0 { return true }
                state.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// Ends what is under way; the rest is lost, and fetched again.
    func finish() {
        let threads = state.with { state in
            state.stopping = true
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    private func end() {
        let waiting = state.with { state in
            state.running -= 1
            guard state.running == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.resume() }
    }

    private func run(_ path: String, _ writer: IndexWriter) {
        var count = 0
        do {
            guard var salvage = try IndexSalvage(path) else { return }
            let stored = try EventCounter(semaphore: true)
            while let entries = try salvage.next(), !state.with({ $0.stopping }) {
                guard !entries.isEmpty else { continue }
                // One batch at a time: they would fill the memory.
                writer.submit(.salvaged(entries)) { _ in stored.add() }
                stored.wait()
                count += entries.count
                counters.add(.salvagedEntries, UInt64(entries.count))
            }
            log.info("index-salvaged", ["origin": origin, "entries": "\(count)"])
        } catch {
            log.error("index-not-salvaged", ["origin": origin, "entries": "\(count)", "cause": "\(error)"])
        }
    }
}
