import CacheProtocol
import LinuxSystem

/// Decides whether the cache owner hangs, by evidence: how long something takes is none. A slow origin shows as threads that answer; a slow
/// disk and a machine without free processors show as threads at work.
struct OwnerJudge: Sendable {
    enum Verdict: Hashable, Sendable {
        case healthy
        /// It is late, and at work.
        case late
        case hung(String)
    }

    /// A ping that was not answered within its time, and the threads that should have answered, before and after a pause.
    struct Silence: Sendable {
        var since: Deadline
        var before: [ThreadSample]
        var after: [ThreadSample]
    }

    /// Threads that take messages (`CacheServer`).
    static let answeringThreads = "cache"
    /// A turn that lasts longer is looked at.
    static let longTurn: Duration = .seconds(2)
    /// Processor time that threads may take without answering: by then they run in a circle.
    static let fruitlessTime: Duration = .seconds(20)

    private var silentSince: Deadline?
    private var timeAtSilence = Duration.zero

    /// Threads whose present turn is long: they are to be looked at twice.
    static func suspects(_ pulse: [ThreadPulse]) -> Set<Int32> {
        Set(pulse.filter { $0.busy > longTurn.nanoseconds }.map(\.thread))
    }

    /// It answered; `suspects` are threads that were in the same turn in both answers, with what the kernel said of them at both times.
    mutating func judge(suspects: Set<Int32>, before: [ThreadSample], after: [ThreadSample]) -> Verdict {
        silentSince = nil
        let still = Self.still(before, after).filter { suspects.contains($0.id) }
        guard let one = still.first else { return suspects.isEmpty ? .healthy : .late }
        return .hung("thread \(one.id) (\(one.name)) does not come to the end of a turn and does not move")
    }

    /// It did not answer.
    mutating func judge(_ silence: Silence) -> Verdict {
        let before = silence.before.filter { $0.name == Self.answeringThreads }
        let after = silence.after.filter { $0.name == Self.answeringThreads }
        let time = after.reduce(.zero) { $0 + $1.time }
        if silentSince == nil {
            silentSince = silence.since
            timeAtSilence = before.reduce(.zero) { $0 + $1.time }
        }
        guard !after.isEmpty else { return .late }
        if before.allSatisfy(\.isStopped), after.allSatisfy(\.isStopped) { return .hung("it is stopped") }
        if Self.still(before, after).count == after.count {
            return .hung("none of its threads that answer runs or waits for a disk")
        }
        let taken = time - timeAtSilence
        if taken > Self.fruitlessTime {
            return .hung("its threads have used \(taken.components.seconds) s of processor time without answering")
        }
        return .late
    }

    /// Threads that sleep in both samples and were not on a processor in between.
    private static func still(_ before: [ThreadSample], _ after: [ThreadSample]) -> [ThreadSample] {
        let earlier = Dictionary(before.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        return after.filter { sample in
            guard let first = earlier[sample.id] else { return false }
            return !first.isAtWork && !sample.isAtWork && first.slices == sample.slices
        }
    }
}
