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
        var room: [CheckedContinuation<Void, Never>] = []
    }

    /// Above either, whoever fetches waits: what is fetched faster than it can be stored must not fill the memory.
    static let itemLimit = 8192
    static let byteLimit = 64 << 20

    private let environment: IndexEnvironment
    private let objects: ObjectStore
    private let log: Log
    private let counters: Counters
    private let queue = Guarded(Queue())
    private let wakeups: EventCounter
    private let thread: Guarded<SystemThread?>

    init(
        environment: IndexEnvironment, objects: ObjectStore, counters: Counters, log: Log
    ) throws(SystemError) {
        self.environment = environment
        self.objects = objects
        self.counters = counters
        self.log = log
        wakeups = try EventCounter(semaphore: true)
        thread = Guarded(nil)
        let started = try SystemThread.start(name: "index-writer") { [self] in run() }
        thread.with { $0 = started }
    }

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
                    queue.items = []
                    queue.bytes = 0
                    queue.room = []
                }
                return (queue.items, queue.room, queue.closed)
            }
            for waiter in room { waiter.resume() }
            if !items.isEmpty { store(items) }
            // Nothing can be queued between the last look and this one that would go unseen: its submitter wakes us again.
            if closed && items.isEmpty { return }
            if closed { wakeups.add() }
        }
    }

    private func store(_ items: [Item]) {
        // Object files first: the index must never name a file that is not there yet.
        let stored = items.map { publish($0.change) }
        do {
            try environment.write { (index) throws(IndexError) in
                var completed: [ObjectID: [(index: Int, mode: FileMode, size: UInt64)]] = [:]
                for (item, isStored) in zip(items, stored) where isStored {
                    if case .completed(let directory, let position, let mode, let size) = item.change {
                        completed[directory, default: []].append((position, mode, size))
                    } else {
                        try Self.apply(item.change, to: index)
                    }
                }
                for (directory, entries) in completed { try Self.complete(directory, entries, in: index) }
            }
            for (item, isStored) in zip(items, stored) { item.committed(isStored) }
        } catch {
            counters.add(.storageFailures)
            log.error("index-write-failed", ["cause": "\(error)", "changes": "\(items.count)"])
            for item in items { item.committed(false) }
        }
    }

    private func publish(_ change: IndexChange) -> Bool {
        guard case .blob(let id, _, let contents?) = change else { return true }
        do {
            try objects.publish(contents, as: id)
            return true
        } catch {
            counters.add(.storageFailures)
            log.error("object-write-failed", ["object": id.hex, "cause": "\(error)"])
            return false
        }
    }

    private static func apply(
        _ change: IndexChange, to index: borrowing IndexTransaction
    ) throws(IndexError) {
        let now = Int64(time(nil))
        switch change {
        case .directory(let id, let packed, let paths):
            for (key, record) in paths { try index.put(.paths, IndexKey(key), record.encode()) }
            try index.put(.trees, IndexKey(id), packed)
        case .blob(let id, let size, _):
            let record = BlobRecord.merged(
                try index.blob(id), size: size, present: true, executable: nil, now: now)
            try index.put(.blobs, IndexKey(id), record.encode())
        case .blobInformation(let id, let size, let executable):
            let record = BlobRecord.merged(
                try index.blob(id), size: size, present: false, executable: executable, now: now)
            try index.put(.blobs, IndexKey(id), record.encode())
        case .blobLost(let id):
            guard var record = try index.blob(id) else { return }
            record.flags.remove(.present)
            try index.put(.blobs, IndexKey(id), record.encode())
        case .snapshot(let commit, let record):
            try index.put(.snapshots, IndexKey(commit), record.encode())
        case .path(let key, let record):
            try index.put(.paths, IndexKey(key), record.encode())
        case .ref(let name, let record):
            if let key = IndexKey(name: name) { try index.put(.refs, key, record.encode()) }
        case .completed:
            break
        }
    }

    private static func complete(
        _ directory: ObjectID, _ entries: [(index: Int, mode: FileMode, size: UInt64)],
        in index: borrowing IndexTransaction
    ) throws(IndexError) {
        guard let packed = try index.get(.trees, IndexKey(directory)), let old = try? PackedDirectory(packed) else {
            return
        }
        var items = old.items
        for entry in entries where entry.index < items.count {
            items[entry.index].entry.mode = entry.mode
            items[entry.index].entry.size = entry.size
            items[entry.index].entry.flags = []
        }
        // It was packed before, so every name is fit to be packed again.
        guard let bytes = try? DirectoryPacker.pack(items) else { return }
        try index.put(.trees, IndexKey(directory), bytes)
    }
}

extension PackedDirectory {
    /// The entries with their names, in order.
    var items: [DirectoryPacker.Item] {
        (0..<count).map { DirectoryPacker.Item(name: Array(name(at: $0)), entry: self[$0]) }
    }
}
