import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// The changes of one transaction, and what the objects take after them.
struct IndexBatch: ~Copyable {
    private(set) var usage: StoreUsage
    private let objects: ObjectStore
    private let now = Int64(time(nil))
    private var completed: [ObjectID: [(index: Int, mode: FileMode, size: UInt64)]] = [:]

    /// - Parameter usage: before them.
    init(usage: StoreUsage, objects: ObjectStore) {
        self.usage = usage
        self.objects = objects
    }

    mutating func apply(_ change: IndexChange, to index: borrowing IndexTransaction) throws(IndexError) {
        let now = now
        switch change {
        case .directory(let id, let packed, let paths):
            for (key, record) in paths { try index.put(.paths, IndexKey(key), record.encode()) }
            try index.put(.trees, IndexKey(id), packed)
        case .blob(let id, let size, _):
            try update(id, in: index) {
                BlobRecord.merged($0, size: size, present: true, executable: nil, now: now)
            }
        case .blobInformation(let id, let size, let executable):
            try update(id, in: index) {
                BlobRecord.merged($0, size: size, present: false, executable: executable, now: $0?.lastUse ?? now)
            }
        case .blobsLost(let ids):
            // One that was fetched again meanwhile is there.
            for id in ids where !objects.contains(id) {
                try update(id, in: index) { old in
                    var record = old
                    record?.flags.remove(.present)
                    return record
                }
            }
        case .used(let ids, let time):
            for id in ids {
                try update(id, in: index) { old in
                    guard var record = old else { return nil }
                    record.lastUse = max(record.lastUse, time)
                    return record
                }
            }
        case .snapshot(let commit, let record):
            try index.put(.snapshots, IndexKey(commit), record.encode())
        case .path(let key, let record):
            try index.put(.paths, IndexKey(key), record.encode())
        case .ref(let name, let record):
            if let key = IndexKey(name: name) { try index.put(.refs, key, record.encode()) }
        case .completed(let directory, let position, let mode, let size):
            completed[directory, default: []].append((position, mode, size))
        case .salvaged(let entries):
            for entry in entries { try restore(entry, in: index) }
        case .swept(let time):
            var value: [UInt8] = []
            withUnsafeBytes(of: time.littleEndian) { value.append(contentsOf: $0) }
            try index.put(.state, .swept, value)
        case .replaceIndex:
            break
        }
    }

    /// Writes what is written once for a whole transaction.
    mutating func finish(in index: borrowing IndexTransaction) throws(IndexError) {
        for (directory, entries) in completed { try Self.complete(directory, entries, in: index) }
        try index.put(.state, .usage, usage.encode())
    }

    private mutating func update(
        _ id: ObjectID, in index: borrowing IndexTransaction, _ change: (BlobRecord?) -> BlobRecord?
    ) throws(IndexError) {
        let old = try index.blob(id)
        guard let new = change(old), new != old else { return }
        try index.put(.blobs, IndexKey(id), new.encode())
        usage.change(from: old, to: new)
    }

    /// What has been stored since is newer.
    private mutating func restore(_ entry: IndexSalvage.Entry, in index: borrowing IndexTransaction) throws(IndexError)
    {
        guard let key = IndexKey(salvaged: entry.key), try index.get(entry.table, key) == nil else { return }
        if entry.table == .blobs {
            guard let record = try? BlobRecord(entry.value) else { return }
            usage.change(from: nil, to: record)
        }
        try index.put(entry.table, key, entry.value)
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
            items[entry.index].entry.flags.formIntersection(.changed)
        }
        // It was packed before, so every name is fit to be packed again.
        guard let bytes = try? DirectoryPacker.pack(items) else { return }
        try index.put(.trees, IndexKey(directory), bytes)
    }
}
