import CacheProtocol
import GitObjects
import LinuxSystem
import SealedImage

/// Makes sealed images of a store's snapshots: whole ones one at a time on a thread of lowest priority, those that are copies of another
/// one, which takes milliseconds, on a thread like others.
///
/// A snapshot is asked for when it is pinned. What is missing of its tree is fetched first; a snapshot of which something cannot be had,
/// or has no size, stays lazy, which is counted and said once.
final class Sealer: Sendable {
    private typealias Lane = SealingQueue.Lane

    private struct Work {
        var queue = SealingQueue()
        /// Called when a snapshot's copy is there, or will not be.
        var waiting: [SealedImages.Key: [@Sendable () -> Void]] = [:]
        var stopping = false
    }

    private static let pause: Duration = .seconds(60)

    private unowned let store: OriginStore
    private let work = Guarded(Work())
    private let wakeups: [EventCounter]
    private let threads = Guarded<[SystemThread]>([])

    init(_ store: OriginStore) throws(SystemError) {
        self.store = store
        wakeups = [try EventCounter(), try EventCounter()]
    }

    func start() throws(SystemError) {
        let whole = try SystemThread.start(name: "seal", nice: 19, stackSize: 1 << 20) { [self] in run(.whole) }
        threads.with { $0.append(whole) }
        let copies = try SystemThread.start(name: "seal-copy", stackSize: 1 << 20) { [self] in run(.copies) }
        threads.with { $0.append(copies) }
    }

    /// Ends the threads, in the middle of an image if there is one.
    func stop() {
        work.with { $0.stopping = true }
        for counter in wakeups { counter.add() }
        let started = threads.with { threads in
            defer { threads = [] }
            return threads
        }
        for thread in started { thread.join() }
        for key in work.with({ Array($0.waiting.keys) }) { tell(key) }
    }

    private var isStopping: Bool { work.with { $0.stopping } }

    /// Has the snapshot sealed, unless it is or was tried a moment ago. Any thread.
    func request(_ key: SealedImages.Key) {
        if store.images.isOffered(key) { return }
        enqueue(key, store.images.bases.isEmpty || store.images.contains(key) ? .whole : .copies)
    }

    /// Calls `done` when the image that is being made as a copy is there, or when it has turned out that there will be none. False if none
    /// is being made.
    func whenCopied(_ key: SealedImages.Key, _ done: @escaping @Sendable () -> Void) -> Bool {
        work.with { work in
            guard !work.stopping, work.queue.has(key, in: .copies) else { return false }
            work.waiting[key, default: []].append(done)
            return true
        }
    }

    /// Has an image made anew that was there and is damaged. Any thread.
    func remake(_ key: SealedImages.Key) {
        enqueue(key, .whole, isDamaged: true)
    }

    private func enqueue(_ key: SealedImages.Key, _ lane: Lane, isDamaged: Bool = false) {
        let (isNew, dropped) = work.with { $0.queue.add(key, to: lane, isDamaged: isDamaged) }
        if let dropped { tell(dropped) }
        if isNew { wakeups[lane.rawValue].add() }
    }

    private func tell(_ key: SealedImages.Key) {
        for done in work.with({ $0.waiting.removeValue(forKey: key) }) ?? [] { done() }
    }

    private func run(_ lane: Lane) {
        // What an earlier owner left is looked at when there is nothing else to do.
        var unchecked = lane == .whole ? store.images.unchecked[...] : []
        while !isStopping {
            let next = work.with { $0.queue.next(in: lane) }
            if let next {
                seal(next, lane)
                if lane == .copies { tell(next) }
            } else if let key = unchecked.popFirst() {
                if !store.images.isOffered(key) { check(key) }
            } else {
                _ = wakeups[lane.rawValue].wait(until: .never)
            }
        }
    }

    private func check(_ key: SealedImages.Key) {
        guard store.images.contains(key) else { return }
        if store.images.check(key) {
            return store.log.info(
                "sealed", ["origin": store.name, "root": key.root.hex, "by": "an earlier owner"])
        }
        store.counters.add(.damagedImages)
        store.log.error("image-damaged", ["origin": store.name, "image": key.name, "action": "removed"])
    }

    private func seal(_ key: SealedImages.Key, _ lane: Lane) {
        // It may have been asked for again while it was made.
        if store.images.isOffered(key) { return }
        if store.images.contains(key) { check(key) }
        if store.images.isOffered(key) { return }
        let begin = Deadline.now
        do throws(SealingError) {
            let job = SealingJob(store: store, key: key, isStopping: { [work] in work.with { $0.stopping } })
            let record = try lane == .copies ? job.copy() : job.whole()
            store.housekeeping.evictor.usageChanged()
            store.log.info(
                "sealed",
                [
                    "origin": store.name, "root": key.root.hex, "bytes": "\(record.bytes)",
                    "files": "\(record.sizes.count)", "by": "\(lane)",
                    "ms": "\(Deadline.now.since(begin).nanoseconds / 1_000_000)",
                ])
        } catch {
            store.images.discard(key)
            if case .stopped = error { return }
            if lane == .copies {
                // Whatever is in the way of a copy, a whole image may be had.
                store.log.info("sealed-whole", ["origin": store.name, "root": key.root.hex, "cause": "\(error)"])
                return enqueue(key, .whole)
            }
            store.counters.add(error.counter)
            work.with { $0.queue.fail(key, until: .after(Self.pause)) }
            store.log.warning(
                "not-sealed", ["origin": store.name, "root": key.root.hex, "cause": "\(error)", "lower": "lazy"])
        }
    }
}

/// Why a snapshot was not sealed.
enum SealingError: Error, Sendable, CustomStringConvertible {
    case stopped
    /// The origin did not give something.
    case fetch(CacheError)
    case image(SealedImageError)
    /// There is no image to make it from.
    case alone
    case storage(String)

    var counter: Counter {
        switch self {
        case .image(.incomplete): .unsealedForSizes
        default: .unsealed
        }
    }

    var description: String {
        switch self {
        case .stopped: "the owner stops"
        case .fetch(let error): "\(error)"
        case .image(let error): "\(error)"
        case .alone: "no image here is of a tree like it"
        case .storage(let text): text
        }
    }
}
