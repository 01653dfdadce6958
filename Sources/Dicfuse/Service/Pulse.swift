import CacheProtocol
import LinuxSystem
import Synchronization

/// Shows from outside whether a thread moves: when its present turn began, and how many there were.
final class Pulse: Sendable {
    private let thread = Atomic<Int32>(0)
    private let turns = Atomic<UInt64>(0)
    /// Nanoseconds of CLOCK_MONOTONIC; 0 between turns.
    private let begun = Atomic<UInt64>(0)

    /// Something came that is to be done. Called by the thread itself.
    func beginTurn() {
        if thread.load(ordering: .relaxed) == 0 { thread.store(SystemThread.currentID, ordering: .relaxed) }
        turns.wrappingAdd(1, ordering: .relaxed)
        begun.store(Deadline.now.nanoseconds, ordering: .relaxed)
    }

    /// The thread waits for something to do.
    func endTurn() {
        begun.store(0, ordering: .relaxed)
    }

    /// Nil before the first turn.
    var report: ThreadPulse? {
        let id = thread.load(ordering: .relaxed)
        guard id != 0 else { return nil }
        let begun = begun.load(ordering: .relaxed)
        let now = Deadline.now.nanoseconds
        return ThreadPulse(
            thread: id, turns: turns.load(ordering: .relaxed), busy: begun == 0 || now < begun ? 0 : now - begun)
    }
}
