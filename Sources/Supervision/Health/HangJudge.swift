import LinuxSystem
import WorkerProtocol

/// Why a worker is thought to hang.
enum HangEvidence: Hashable, Sendable, CustomStringConvertible {
    /// Somebody stopped it (SIGSTOP), or a debugger holds it.
    case stopped
    /// A request waits unread and all its threads sleep.
    case notReading
    /// A reader thread sleeps in the middle of a request.
    case stuck(InFlightRequest)
    /// A thread computes on and on.
    case looping
    /// The control thread does not answer while requests wait for it.
    case silent
    /// It was given the connection and does not take it.
    case notTakingOver

    /// Whether it came to it by itself.
    var isOfItsOwn: Bool { self != .stopped }

    var description: String {
        switch self {
        case .stopped: "stopped"
        case .notReading: "requests wait and nobody reads them"
        case .stuck(let request): "a thread sleeps in request \(request.opcode) on node \(request.node)"
        case .looping: "a thread computes without an end"
        case .silent: "the control thread does not answer"
        case .notTakingOver: "it does not take the connection over"
        }
    }
}

/// What one look at a connection shows; taken without the worker's help.
struct HangSample: Hashable, Sendable {
    /// Requests without an answer (fusectl).
    var waiting: Int
    /// poll(2) says that the kernel has a request which nobody has read.
    var isUnread: Bool
    var readerTurns: UInt64
    var inFlight: [Int: InFlightRequest]
    /// Requests of the mount that took longer than its `slowLimit`, in all.
    var slow: UInt64 = 0
}

/// Decides whether a worker hangs. Evidence is that something which takes microseconds does not go on while a request waits; how long a
/// request takes is none, because a slow origin is no fault of the worker. Pure: it is given one sample a second.
struct HangJudge: Sendable {
    struct Demand: OptionSet, Hashable, Sendable {
        let rawValue: Int
        /// Ask the control thread for a sign of life; say `pingAnswered` when it came.
        static let ping = Demand(rawValue: 1)
        /// Look at the threads, and `judge`.
        static let threads = Demand(rawValue: 2)
    }

    enum Verdict: Hashable, Sendable {
        case undecided
        /// It gets no processor or waits for a disk: it is left alone.
        case slow(String)
        case hung(HangEvidence)
    }

    /// Samples in a row without progress after which threads that sleep are proof.
    static let patience = 2
    /// Processor time that nothing a worker does takes.
    static let loopTime: Duration = .milliseconds(1500)

    /// A runnable thread that used less between two looks waits for the processor.
    static let starvedBelow: Duration = .milliseconds(200)

    private var last: HangSample?
    private var unread = 0
    private var stuck: [Int: Int] = [:]
    private var unanswered = 0
    private var pingIsOut = false
    /// Processor time of the threads that do not go on, when that was first seen.
    private var loopsSince: [Int32: Duration] = [:]
    /// Processor time of all threads at the last look.
    private var times: [Int32: Duration] = [:]

    private var stall: Int {
        max(unread, unanswered, stuck.values.max() ?? 0)
    }

    /// Takes a sample; what else is to be looked at.
    mutating func note(_ sample: HangSample) -> Demand {
        defer { last = sample }
        guard sample.waiting > 0, let last, last.waiting > 0 else {
            self = HangJudge()
            return []
        }
        unread = sample.isUnread && last.isUnread && sample.readerTurns == last.readerTurns ? unread + 1 : 0
        var stillStuck: [Int: Int] = [:]
        for (slot, request) in sample.inFlight where last.inFlight[slot] == request {
            stillStuck[slot] = stuck[slot, default: 0] + 1
        }
        stuck = stillStuck
        if pingIsOut { unanswered += 1 }
        var demand: Demand = []
        if !pingIsOut {
            pingIsOut = true
            demand.insert(.ping)
        }
        if stall > 0 {
            demand.insert(.threads)
        } else {
            (loopsSince, times) = ([:], [:])
        }
        return demand
    }

    mutating func pingAnswered() {
        pingIsOut = false
        unanswered = 0
    }

    /// The question was given up without an answer; the next sample asks again.
    mutating func pingLost() {
        pingIsOut = false
    }

    /// Says what the state of the threads, together with the samples, means.
    mutating func judge(_ threads: [ThreadSample]) -> Verdict {
        guard stall > 0, !threads.isEmpty else { return .undecided }
        if threads.contains(where: \.isStopped) { return .hung(.stopped) }
        var (starved, waitsForDisk) = (false, false)
        for thread in threads {
            let used = times[thread.id].map { thread.time - $0 }
            times[thread.id] = thread.time
            guard isSuspect(thread) else {
                loopsSince[thread.id] = nil
                continue
            }
            // One that computes gets the processor; one that waits for it may hold what the others wait for.
            if thread.isRunnable, used.map({ $0 < Self.starvedBelow }) ?? true { starved = true }
            if thread.waitsForDisk { waitsForDisk = true }
            let since = loopsSince[thread.id, default: thread.time]
            loopsSince[thread.id] = since
            if thread.time - since >= Self.loopTime { return .hung(.looping) }
        }
        if starved { return .slow("a thread waits for the processor") }
        if waitsForDisk { return .slow("a thread waits for a disk") }
        guard stall >= Self.patience else { return .undecided }
        if let slot = stuck.max(by: { $0.value < $1.value }), slot.value >= Self.patience,
            let request = last?.inFlight[slot.key]
        {
            return .hung(.stuck(request))
        }
        return .hung(unread >= Self.patience ? .notReading : .silent)
    }

    /// Whether the thread is one of those that do not go on. One that does holds nothing for long that another waits for.
    private func isSuspect(_ thread: ThreadSample) -> Bool {
        guard thread.name.hasPrefix("fuse-"), let slot = Int(thread.name.dropFirst(5)) else { return pingIsOut }
        return stuck[slot] != nil || unread > 0
    }
}
