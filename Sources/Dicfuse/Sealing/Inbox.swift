import CacheProtocol
import GitObjects
import LinuxSystem

/// Hard links to objects that have just come, where those find them who looked for them in the data layer before (`StoreLayout.inbox`).
///
/// A link stays until nobody can be on the way to it any more: overlayfs looks into the inbox right after it got the worker's answer, so
/// that a few seconds are plenty. One thread for each store, which sleeps while there are no links.
final class Inbox: Sendable {
    /// How long a link stays at least.
    static let stay: Duration = .seconds(10)

    private struct Shard {
        var due: [ObjectID: Deadline] = [:]
    }

    private struct Job: Sendable {
        var id: ObjectID
        var value: FlightValue
        var answer: @Sendable (Result<WorkerReply, CacheError>) -> Void
    }

    private struct Work {
        var jobs: [Job] = []
        var stopping = false
        /// Links that will have to be removed.
        var hasLinks = true
    }

    private let objects: ObjectStore
    private let stay: Duration
    private let counters: Counters
    private let log: Log
    /// By the first byte of the id. A lock is held for one link(2) or unlink(2), so that a link which is used again is not just going.
    private let shards: [Guarded<Shard>]
    private let work = Guarded(Work())
    private let wakeups: EventCounter
    private let thread = Guarded<SystemThread?>(nil)

    init(
        _ objects: ObjectStore, stay: Duration = Inbox.stay, counters: Counters, log: Log
    ) throws(SystemError) {
        self.objects = objects
        self.stay = stay
        self.counters = counters
        self.log = log
        shards = (0..<256).map { _ in Guarded(Shard()) }
        wakeups = try EventCounter()
        let started = try SystemThread.start(name: "inbox") { [self] in run() }
        thread.with { $0 = started }
    }

    /// Ends the thread; nobody may ask any more.
    func stop() {
        work.with { $0.stopping = true }
        wakeups.add()
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    /// Links an object that is in the data layer. False if it is not there.
    func link(_ id: ObjectID) throws(SystemError) -> Bool {
        let isLinked = try shard(id).with { (shard) throws(SystemError) in
            guard try objects.link(id) else { return false }
            shard.due[id] = .after(stay)
            return true
        }
        if isLinked,
            work.with({ work in
                defer { work.hasLinks = true }
                return !work.hasLinks
            })
        {
            wakeups.add()
        }
        return isLinked
    }

    /// Puts what a fetch brought into the data layer, unless it is there already, and links it. Answers on the inbox's thread:
    /// `large` if it cannot be stored, so that it is read from memory.
    func provide(
        _ id: ObjectID, _ value: FlightValue, _ answer: @escaping @Sendable (Result<WorkerReply, CacheError>) -> Void
    ) {
        let isFirst = work.with { work in
            work.jobs.append(Job(id: id, value: value, answer: answer))
            return work.jobs.count == 1
        }
        if isFirst { wakeups.add() }
    }

    private func shard(_ id: ObjectID) -> Guarded<Shard> {
        shards[Int(id.withBytes { $0[0] })]
    }

    private func run() {
        adopt()
        var nextLook = Deadline.after(min(stay, .seconds(1)))
        while true {
            let (jobs, hasLinks, stopping) = work.with { work in
                defer { work.jobs = [] }
                return (work.jobs, work.hasLinks, work.stopping)
            }
            for job in jobs { carryOut(job) }
            if hasLinks, nextLook.hasPassed {
                removeOld()
                nextLook = .after(min(stay, .seconds(1)))
            }
            if stopping { return }
            if jobs.isEmpty { _ = wakeups.wait(until: hasLinks ? nextLook : .never) }
        }
    }

    private func carryOut(_ job: Job) {
        job.answer(
            Result { () throws(CacheError) in
                do throws(SystemError) {
                    if try link(job.id) { return .provided }
                    guard case .contents(let bytes) = job.value else { return .large(size: job.value.blobSize) }
                    try objects.publish(bytes, as: job.id)
                    return try link(job.id) ? .provided : .large(size: job.value.blobSize)
                } catch {
                    if error.isLackOfSpace { return .large(size: job.value.blobSize) }
                    counters.add(.storageFailures)
                    log.error("object-not-linked", ["object": job.id.hex, "cause": "\(error)"])
                    throw CacheError(.storage, "blob \(job.id) cannot be put into the data layer: \(error)")
                }
            })
    }

    /// What an earlier owner linked: somebody may still be on the way to it.
    private func adopt() {
        for byte in 0..<256 {
            let ids = (try? objects.inInbox(prefix: UInt8(byte))) ?? []
            shards[byte].with { shard in
                for id in ids where shard.due[id] == nil { shard.due[id] = .after(stay) }
            }
        }
    }

    private func removeOld() {
        work.with { $0.hasLinks = false }
        var isEmpty = true
        for shard in shards {
            let due = shard.with { $0.due.filter { $0.value.hasPassed }.map(\.key) }
            for id in due {
                shard.with { shard in
                    // It may have been linked anew meanwhile.
                    guard let moment = shard.due[id], moment.hasPassed else { return }
                    shard.due[id] = nil
                    objects.unlinkFromInbox(id)
                }
            }
            if !shard.with({ $0.due.isEmpty }) { isEmpty = false }
        }
        if !isEmpty { work.with { $0.hasLinks = true } }
    }
}
