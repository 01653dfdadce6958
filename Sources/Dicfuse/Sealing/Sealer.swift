import CacheProtocol
import GitObjects
import LinuxSystem
import SealedImage

/// Makes sealed images of a store's snapshots, one at a time, on a thread of lowest priority.
///
/// A snapshot is asked for when it is pinned. What is missing of its tree is fetched first; a snapshot of which something cannot be had,
/// or has no size, stays lazy, which is counted and said once.
final class Sealer: Sendable {
    private struct Work {
        var queue: [SealedImages.Key] = []
        /// When what failed may be tried again.
        var failed: [SealedImages.Key: Deadline] = [:]
        var stopping = false
    }

    /// Snapshots that wait; the oldest are left out.
    private static let longestQueue = 16
    private static let pause: Duration = .seconds(60)

    private unowned let store: OriginStore
    private let work = Guarded(Work())
    private let wakeups: EventCounter
    private let thread = Guarded<SystemThread?>(nil)

    init(_ store: OriginStore) throws(SystemError) {
        self.store = store
        wakeups = try EventCounter()
    }

    func start() throws(SystemError) {
        let started = try SystemThread.start(name: "seal", nice: 19, stackSize: 1 << 20) { [self] in run() }
        thread.with { $0 = started }
    }

    /// Ends the thread, in the middle of an image if there is one.
    func stop() {
        work.with { $0.stopping = true }
        wakeups.add()
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    private var isStopping: Bool { work.with { $0.stopping } }

    /// Has the snapshot sealed, unless it is or was tried a moment ago. Any thread.
    func request(_ key: SealedImages.Key) {
        if store.images.isOffered(key) { return }
        let isNew = work.with { work in
            if let until = work.failed[key], !until.hasPassed { return false }
            if work.queue.contains(key) { return false }
            work.queue.append(key)
            if work.queue.count > Self.longestQueue { work.queue.removeFirst() }
            return true
        }
        if isNew { wakeups.add() }
    }

    private func run() {
        // What an earlier owner left is looked at when there is nothing else to do.
        var unchecked = store.images.unchecked[...]
        while !isStopping {
            let next = work.with { $0.queue.isEmpty ? nil : $0.queue.removeFirst() }
            if let next {
                seal(next)
            } else if let key = unchecked.popFirst() {
                if !store.images.isOffered(key) { check(key) }
            } else {
                _ = wakeups.wait(until: .never)
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

    private func seal(_ key: SealedImages.Key) {
        // It may have been asked for again while it was made.
        if store.images.isOffered(key) { return }
        if store.images.contains(key) { check(key) }
        if store.images.isOffered(key) { return }
        let begin = Deadline.now
        do throws(SealingError) {
            let made = try SealingJob(store: store, key: key, isStopping: { [work] in work.with { $0.stopping } })
                .run()
            store.housekeeping.evictor.usageChanged()
            store.log.info(
                "sealed",
                [
                    "origin": store.name, "root": key.root.hex, "bytes": "\(made.record.bytes)",
                    "files": "\(made.record.sizes.count)", "by": made.isSuccessor ? "copy" : "whole",
                    "ms": "\(Deadline.now.since(begin).nanoseconds / 1_000_000)",
                ])
        } catch {
            store.images.discard(key)
            if case .stopped = error { return }
            store.counters.add(error.counter)
            work.with { work in
                work.failed = work.failed.filter { !$0.value.hasPassed }
                work.failed[key] = .after(Self.pause)
            }
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
        case .storage(let text): text
        }
    }
}
