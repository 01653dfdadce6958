import CLMDB
import GitObjects

/// One thread's way to read: a read transaction that is renewed for each use (mdb_txn_renew), which is cheaper than a new one.
struct IndexReader: ~Copyable, @unchecked Sendable {
    // Sendable: owned by one thread, which the owner of this value names.

    private let environment: IndexEnvironment
    private let handle: OpaquePointer

    init(_ environment: IndexEnvironment) throws(IndexError) {
        self.environment = environment
        handle = try environment.begin(flags: UInt32(MDB_RDONLY))
        mdb_txn_reset(handle)
    }

    deinit {
        mdb_txn_abort(handle)
    }

    /// Runs `body` on what was committed last.
    borrowing func read<Value>(
        _ body: (borrowing IndexTransaction) throws(IndexError) -> Value
    ) throws(IndexError) -> Value {
        try IndexError.check(mdb_txn_renew(handle), "mdb_txn_renew")
        defer { mdb_txn_reset(handle) }
        return try body(IndexTransaction(reading: environment, handle: handle))
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
}

extension IndexTransaction {
    borrowing func blob(_ id: ObjectID) throws(IndexError) -> BlobRecord? {
        try get(.blobs, IndexKey(id)).flatMap { try? BlobRecord($0) }
    }
}

/// A reader where only a reference can be kept. Belongs to one thread at a time.
final class IndexReaderBox: Sendable {
    let reader: IndexReader

    init(_ environment: IndexEnvironment) throws(IndexError) {
        reader = try IndexReader(environment)
    }
}
