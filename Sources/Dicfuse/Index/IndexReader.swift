import CLMDB
import GitObjects

/// One thread's way to read: a read transaction that is renewed for each use (mdb_txn_renew), which is cheaper than a new one.
/// When the index has been replaced it goes on with the new one.
struct IndexReader: ~Copyable, @unchecked Sendable {
    // Sendable: owned by one thread, which the owner of this value names.

    private let slot: IndexSlot
    private let open: OpenReader

    init(_ slot: IndexSlot) throws(IndexError) {
        self.slot = slot
        open = try OpenReader(slot.current)
    }

    /// Runs `body` on what was committed last. Damage that it meets is noted in the slot.
    borrowing func read<Value>(
        _ body: (borrowing IndexTransaction) throws(IndexError) -> Value
    ) throws(IndexError) -> Value {
        let current = slot.current
        do throws(IndexError) {
            if current !== open.environment { try open.change(to: current) }
            try IndexError.check(mdb_txn_renew(open.handle), "mdb_txn_renew")
            defer { mdb_txn_reset(open.handle) }
            return try body(IndexTransaction(reading: current, handle: open.handle))
        } catch {
            if error.isDamage { slot.noteDamage(current) }
            throw error
        }
    }

    borrowing func packedDirectory(_ id: ObjectID) throws(IndexError) -> [UInt8]? {
        try read { (index) throws(IndexError) in try index.get(.trees, IndexKey(id)) }
    }

    borrowing func blob(_ id: ObjectID) throws(IndexError) -> BlobRecord? {
        try read { (index) throws(IndexError) in try index.blob(id) }
    }

    borrowing func snapshot(_ commit: ObjectID) throws(IndexError) -> SnapshotRecord? {
        try read { (index) throws(IndexError) in
            try index.get(.snapshots, IndexKey(commit)).flatMap { try? SnapshotRecord($0) }
        }
    }

    borrowing func path(_ key: ObjectID) throws(IndexError) -> PathRecord? {
        try read { (index) throws(IndexError) in
            try index.get(.paths, IndexKey(key)).flatMap { try? PathRecord($0) }
        }
    }

    borrowing func ref(_ name: String) throws(IndexError) -> RefRecord? {
        guard let key = IndexKey(name: name) else { return nil }
        return try read { (index) throws(IndexError) in try index.get(.refs, key).flatMap { try? RefRecord($0) } }
    }

    /// The blob records from `start` on, at most `limit` of them, and where to go on; nil at the end. Each call is a transaction of
    /// its own, so that a long walk keeps no old pages.
    borrowing func blobs(
        from start: [UInt8], limit: Int
    ) throws(IndexError) -> (records: [(id: ObjectID, record: BlobRecord)], next: [UInt8]?) {
        try read { (index) throws(IndexError) in
            var records: [(id: ObjectID, record: BlobRecord)] = []
            var next: [UInt8]?
            try index.visit(.blobs, from: start) { key, value in
                if records.count == limit {
                    next = Array(key)
                    return false
                }
                if let id = IndexKey.objectID(key), let value, let record = try? BlobRecord(Array(value)) {
                    records.append((id, record))
                }
                return true
            }
            return (records, next)
        }
    }
}

/// A transaction and the environment it belongs to, which it keeps open.
private final class OpenReader {
    private(set) var environment: IndexEnvironment
    private(set) var handle: OpaquePointer

    init(_ environment: IndexEnvironment) throws(IndexError) {
        self.environment = environment
        handle = try Self.begin(environment)
    }

    deinit {
        mdb_txn_abort(handle)
    }

    func change(to environment: IndexEnvironment) throws(IndexError) {
        let next = try Self.begin(environment)
        mdb_txn_abort(handle)
        handle = next
        self.environment = environment
    }

    private static func begin(_ environment: IndexEnvironment) throws(IndexError) -> OpaquePointer {
        let handle = try environment.begin(flags: UInt32(MDB_RDONLY))
        mdb_txn_reset(handle)
        return handle
    }
}

extension IndexTransaction {
    borrowing func blob(_ id: ObjectID) throws(IndexError) -> BlobRecord? {
        try get(.blobs, IndexKey(id)).flatMap { try? BlobRecord($0) }
    }
}

/// A reader where only a reference can be kept. Belongs to one thread at a time.
final class IndexReaderBox: Sendable {
    let reader: IndexReader

    init(_ slot: IndexSlot) throws(IndexError) {
        reader = try IndexReader(slot)
    }
}
