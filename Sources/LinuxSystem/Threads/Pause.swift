/// Waiting for a time to pass, on one thread for the whole process that sleeps until the next moment.
public enum Pause {
    private struct Sleeper {
        let id: UInt64
        let due: Deadline
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct Sleepers {
        /// The latest first.
        var waiting: [Sleeper] = []
        var lastID: UInt64 = 0

        /// Whether it is the next one that is due.
        mutating func add(_ sleeper: Sleeper) -> Bool {
            var (low, high) = (0, waiting.count)
            while low < high {
                let middle = (low + high) / 2
                if waiting[middle].due > sleeper.due { low = middle + 1 } else { high = middle }
            }
            waiting.insert(sleeper, at: low)
            return low == waiting.count - 1
        }

        mutating func takeDue() -> [Sleeper] {
            let now = Deadline.now
            let first = waiting.lastIndex { $0.due > now }.map { $0 + 1 } ?? 0
            defer { waiting.removeSubrange(first...) }
            return waiting[first...].reversed()
        }
    }

    private static let sleepers = Guarded(Sleepers())
    /// Nil if there can be no thread.
    private static let wake: EventCounter? = {
        guard let wake = try? EventCounter(), let thread = try? SystemThread.start(name: "pause", { run(wake) }) else {
            return nil
        }
        thread.detach()
        return wake
    }()

    /// Returns when the time has passed, by a millisecond at most; a cancelled task is told at once.
    public static func sleep(for duration: Duration) async throws {
        guard let wake else { return try await Task.sleep(for: duration) }
        let due = Deadline.after(duration)
        let id = sleepers.with { sleepers in
            sleepers.lastID += 1
            return sleepers.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let sleeper = Sleeper(id: id, due: due, continuation: continuation)
                if sleepers.with({ $0.add(sleeper) }) { wake.add() }
                // The handler may have come before there was anybody to wake.
                if Task.isCancelled { end(id) }
            }
        } onCancel: {
            end(id)
        }
        try Task.checkCancellation()
    }

    private static func end(_ id: UInt64) {
        let sleeper = sleepers.with { sleepers in
            sleepers.waiting.lastIndex { $0.id == id }.map { sleepers.waiting.remove(at: $0) }
        }
        sleeper?.continuation.resume()
    }

    private static func run(_ wake: EventCounter) {
        while true {
            let (due, next) = sleepers.with { ($0.takeDue(), $0.waiting.last?.due ?? .never) }
            for sleeper in due { sleeper.continuation.resume() }
            _ = wake.wait(until: next)
        }
    }
}
