import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// The one thread that writes a store's index: it takes whatever has been submitted since the last commit and stores it in one
/// transaction, so that one fsync serves many.
final class IndexWriter: Sendable {
    private struct Item: Sendable {
        let change: IndexChange
        let committed: @Sendable (Bool) -> Void
    }

    private struct Queue {
        var items: [Item] = []
        var bytes = 0
        var closed = false
        /// The thread is at work on what it took.
        var storing = false
        var room: [CheckedContinuation<Void, Never>] = []
    }

    /// Above either, whoever fetches waits: what is fetched faster than it can be stored must not fill the memory.
    static let itemLimit = 8192
    static let byteLimit = 64 << 20

    private let slot: IndexSlot
    private let objects: ObjectStore
    private let log: Log
    private let counters: Counters
    private let hooks: Hooks
    private let usage = Guarded<StoreUsage?>(nil)
    private let queue = Guarded(Queue())
    private let wakeups: EventCounter
    private let thread: Guarded<SystemThread?>

    /// What the writer tells its store. Called on the writer thread.
    struct Hooks: Sendable {
        /// The count of objects or bytes has changed.
        var usageChanged: @Sendable () -> Void = {}
        /// There is no room on the disk; waits until something was done about it, false if nothing could be.
        var makeRoom: @Sendable () -> Bool = { false }
        /// The index was damaged and has been replaced by an empty one; the argument is where the old one is.
        var replaced: @Sendable (_ aside: String, IndexWriter) -> Void = { _, _ in }
    }

    init(
        slot: IndexSlot, objects: ObjectStore, counters: Counters, log: Log, hooks: Hooks = Hooks()
    ) throws(SystemError) {
        self.slot = slot
        self.objects = objects
        self.counters = counters
        self.log = log
        self.hooks = hooks
        wakeups = try EventCounter(semaphore: true)
        thread = Guarded(nil)
        let started = try SystemThread.start(name: "index-writer") { [self] in
            countObjects()
            run()
        }
        thread.with { $0 = started }
    }

    /// What the objects take; nil until it is known.
    var objectUsage: StoreUsage? { usage.with { $0 } }

    /// Everything that was submitted has been stored or given up.
    var isIdle: Bool { queue.with { $0.items.isEmpty && !$0.storing } }

    /// Queues a change. `committed` is called on the writer thread once it is on disk (true) or cannot be stored (false).
    func submit(_ change: IndexChange, committed: @escaping @Sendable (Bool) -> Void = { _ in }) {
        let first = queue.with { queue in
            queue.items.append(Item(change: change, committed: committed))
            queue.bytes += change.byteCount
            return queue.items.count == 1
        }
        if first { wakeups.add() }
    }

    /// Suspends while too much is queued.
    func room(isolation: isolated (any Actor)? = #isolation) async {
        let full = queue.with { $0.items.count > Self.itemLimit || $0.bytes > Self.byteLimit }
        guard full else { return }
        await withCheckedContinuation { continuation in
            let now = queue.with { queue in
                if queue.items.isEmpty { return true }
                queue.room.append(continuation)
                return false
            }
            if now { continuation.resume() }
        }
    }

    /// Stores what is queued and ends the thread.
    func finish() {
        queue.with { $0.closed = true }
        wakeups.add()
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    private func run() {
        while true {
            wakeups.wait()
            let (items, room, closed) = queue.with { queue in
                defer {
                    queue.storing = !queue.items.isEmpty
                    queue.items = []
                    queue.bytes = 0
                    queue.room = []
                }
                return (queue.items, queue.room, queue.closed)
            }
            for waiter in room { waiter.resume() }
            if !items.isEmpty {
                store(items)
                queue.with { $0.storing = false }
            }
            // Nothing can be queued between the last look and this one that would go unseen: its submitter wakes us again.
            if closed && items.isEmpty { return }
            if closed { wakeups.add() }
        }
    }

    // MARK: Storing

    private func store(_ items: [Item]) {
        // Object files first: the index must never name a file that is not there yet.
        let stored = items.map { publish($0.change) }
        for item in items {
            if case .replaceIndex = item.change { replaceIndex() }
        }
        var result = commit(items, stored)
        if case .failure(let error) = result, error.isLackOfSpace, hooks.makeRoom() { result = commit(items, stored) }
        switch result {
        case .success(let changed):
            usage.with { $0 = changed }
            for (item, isStored) in zip(items, stored) { item.committed(isStored) }
            hooks.usageChanged()
        case .failure(let error):
            counters.add(.storageFailures)
            log.error("index-write-failed", ["cause": "\(error)", "changes": "\(items.count)"])
            for item in items { item.committed(false) }
            replaceIfDamaged(error)
        }
    }

    /// Stores the changes in one transaction; answers what the objects take then.
    private func commit(_ items: [Item], _ stored: [Bool]) -> Result<StoreUsage, IndexError> {
        let before = usage.with { $0 } ?? StoreUsage()
        let environment = slot.current
        return Result { () throws(IndexError) in
            try environment.write { (index) throws(IndexError) in
                var batch = IndexBatch(usage: before, objects: objects)
                for (item, isStored) in zip(items, stored) where isStored { try batch.apply(item.change, to: index) }
                try batch.finish(in: index)
                return batch.usage
            }
        }
    }

    /// Only this thread replaces the index, so the one in use is the one that the error came from.
    private func replaceIfDamaged(_ error: IndexError) {
        guard error.isDamage else { return }
        slot.noteDamage(slot.current)
        if slot.doubt() { submit(.replaceIndex) }
    }

    private func publish(_ change: IndexChange) -> Bool {
        guard case .blob(let id, _, let contents?) = change else { return true }
        do throws(SystemError) {
            // Somebody who waits for a data layer may have been faster.
            if case .file = try objects.open(id, size: UInt64(contents.count)) { return true }
            try objects.publish(contents, as: id)
            return true
        } catch {
            // For want of room it is served without being kept; that was said already.
            guard !error.isLackOfSpace else { return false }
            counters.add(.storageFailures)
            log.error("object-write-failed", ["object": id.hex, "cause": "\(error)"])
            return false
        }
    }

    /// What was counted before, or a new count.
    private func countObjects() {
        let environment = slot.current
        let counted = Result { () throws(IndexError) in
            try environment.write { (index) throws(IndexError) in
                if let known = try index.get(.state, .usage).flatMap({ try? StoreUsage($0) }) { return known }
                var sum = StoreUsage()
                try index.visit(.blobs, from: []) { _, value in
                    sum.change(from: nil, to: value.flatMap { try? BlobRecord(Array($0)) })
                    return true
                }
                return sum
            }
        }
        if case .failure(let error) = counted {
            log.error("index-read-failed", ["cause": "\(error)"])
            replaceIfDamaged(error)
        }
        usage.with { $0 = (try? counted.get()) ?? StoreUsage() }
        hooks.usageChanged()
    }

    private func replaceIndex() {
        do {
            let aside = try slot.replace()
            usage.with { $0 = StoreUsage() }
            log.error("index-replaced", ["moved": aside])
            hooks.replaced(aside, self)
        } catch {
            counters.add(.storageFailures)
            log.error("index-not-replaced", ["cause": "\(error)"])
        }
    }
}
