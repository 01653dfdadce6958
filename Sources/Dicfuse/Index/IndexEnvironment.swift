import CLMDB
import GitObjects
import Glibc
import LinuxSystem

/// An LMDB environment and its tables. Opened once in the process that holds the store's lock.
///
/// Read transactions are not tied to threads (MDB_NOTLS), so each thread keeps one `IndexReader`; the one write transaction
/// belongs to the writer thread.
final class IndexEnvironment: @unchecked Sendable {
    // Sendable: LMDB's environment may be used from all threads (lmdb.h); the handles never change after `init`.

    private let environment: OpaquePointer
    private let tables: [IndexTable: MDB_dbi]

    /// Address space reserved for the map. The file is sparse, so this costs nothing and never has to grow.
    static let mapSize = 64 << 30

    /// - Parameter directory: an existing directory.
    init(_ directory: String, readers: Int) throws(IndexError) {
        var created: OpaquePointer?
        try IndexError.check(mdb_env_create(&created), "mdb_env_create")
        guard let environment = created else { throw IndexError(ENOMEM, "mdb_env_create") }
        do throws(IndexError) {
            try IndexError.check(mdb_env_set_mapsize(environment, Self.mapSize), "mdb_env_set_mapsize")
            try IndexError.check(mdb_env_set_maxdbs(environment, 16), "mdb_env_set_maxdbs")
            try IndexError.check(mdb_env_set_maxreaders(environment, UInt32(readers + 8)), "mdb_env_set_maxreaders")
            // Without MDB_NOMETASYNC every commit would wait for a second fsync; what a crash can then undo is the last commit,
            // never an older one (lmdb.h, MDB_NOMETASYNC).
            let flags = UInt32(MDB_NOTLS) | UInt32(MDB_NOMETASYNC) | UInt32(MDB_NORDAHEAD)
            try IndexError.check(mdb_env_open(environment, directory, flags, 0o600), "mdb_env_open \(directory)")
            try Self.fillUp(environment)
            var dead: Int32 = 0
            try IndexError.check(mdb_reader_check(environment, &dead), "mdb_reader_check")
            tables = try Self.openTables(environment)
        } catch {
            mdb_env_close(environment)
            throw error
        }
        self.environment = environment
    }

    deinit {
        mdb_env_close(environment)
    }

    /// A file that was cut short would end the process with SIGBUS at the first page that is missing (mmap(2)). Pages of zeros are damage
    /// that LMDB reports.
    private static func fillUp(_ environment: OpaquePointer) throws(IndexError) {
        var file: mdb_filehandle_t = -1
        try IndexError.check(mdb_env_get_fd(environment, &file), "mdb_env_get_fd")
        let needed = min(usedBytes(environment), UInt64(mapSize))
        var status = stat()
        guard fstat(file, &status) == 0 else { throw IndexError(errno, "fstat") }
        if UInt64(status.st_size) < needed, ftruncate(file, off_t(needed)) == -1 {
            throw IndexError(errno, "ftruncate")
        }
    }

    private static func openTables(_ environment: OpaquePointer) throws(IndexError) -> [IndexTable: MDB_dbi] {
        var transaction: OpaquePointer?
        try IndexError.check(mdb_txn_begin(environment, nil, 0, &transaction), "mdb_txn_begin")
        var tables: [IndexTable: MDB_dbi] = [:]
        for table in IndexTable.allCases {
            var handle: MDB_dbi = 0
            let code = mdb_dbi_open(transaction, table.rawValue, UInt32(MDB_CREATE), &handle)
            if code != 0 {
                mdb_txn_abort(transaction)
                throw IndexError(code, "mdb_dbi_open \(table.rawValue)")
            }
            tables[table] = handle
        }
        try IndexError.check(mdb_txn_commit(transaction), "mdb_txn_commit")
        return tables
    }

    func handle(of table: IndexTable) -> MDB_dbi {
        tables[table] ?? 0
    }

    func begin(flags: UInt32) throws(IndexError) -> OpaquePointer {
        var transaction: OpaquePointer?
        try IndexError.check(mdb_txn_begin(environment, nil, flags, &transaction), "mdb_txn_begin")
        guard let transaction else { throw IndexError(ENOMEM, "mdb_txn_begin") }
        return transaction
    }

    /// Runs `body` in a write transaction and commits it; an error aborts it. Only the writer thread calls this.
    func write<Value>(
        _ body: (borrowing IndexTransaction) throws(IndexError) -> Value
    ) throws(IndexError) -> Value {
        let transaction = IndexTransaction(environment: self, handle: try begin(flags: 0))
        let value: Value
        do throws(IndexError) {
            value = try body(transaction)
        } catch {
            transaction.abort()
            throw error
        }
        try transaction.commit()
        return value
    }

    /// Bytes of the pages in use.
    var usedBytes: UInt64 {
        Self.usedBytes(environment)
    }

    private static func usedBytes(_ environment: OpaquePointer) -> UInt64 {
        var information = MDB_envinfo()
        var status = MDB_stat()
        guard mdb_env_info(environment, &information) == 0, mdb_env_stat(environment, &status) == 0 else { return 0 }
        return UInt64(information.me_last_pgno + 1) * UInt64(status.ms_psize)
    }
}

/// A transaction, alive inside the closure it is given to. No `await` while it lives: what it reads is in the map only until
/// it ends.
struct IndexTransaction: ~Copyable {
    private let environment: IndexEnvironment
    private let handle: OpaquePointer

    fileprivate init(environment: IndexEnvironment, handle: OpaquePointer) {
        self.environment = environment
        self.handle = handle
    }

    /// A reader's, which stays owned by the reader.
    init(reading environment: IndexEnvironment, handle: OpaquePointer) {
        self.init(environment: environment, handle: handle)
    }

    fileprivate consuming func abort() {
        mdb_txn_abort(handle)
    }

    fileprivate consuming func commit() throws(IndexError) {
        try IndexError.check(mdb_txn_commit(handle), "mdb_txn_commit")
    }

    /// Gives `body` the value, checked, while it lies in the map; nil if there is none or its checksum is wrong (such a value
    /// is as good as absent: everything in the index can be had again).
    borrowing func with<Value>(
        _ table: IndexTable, _ key: IndexKey, _ body: (UnsafeRawBufferPointer) -> Value
    ) throws(IndexError) -> Value? {
        var code: Int32 = 0
        let value: Value? = key.bytes.withUnsafeBytes { keyBytes in
            var lmdbKey = MDB_val(
                mv_size: keyBytes.count, mv_data: UnsafeMutableRawPointer(mutating: keyBytes.baseAddress))
            var lmdbValue = MDB_val()
            code = mdb_get(handle, environment.handle(of: table), &lmdbKey, &lmdbValue)
            guard code == 0 else { return nil }
            return Checksum.open(
                UnsafeRawBufferPointer(start: lmdbValue.mv_data, count: lmdbValue.mv_size),
                seed: Checksum.seed(table, keyBytes)
            ).map(body)
        }
        guard code == 0 || code == MDB_NOTFOUND else { throw IndexError(code, "mdb_get") }
        return value
    }

    /// A copy of the value.
    borrowing func get(_ table: IndexTable, _ key: IndexKey) throws(IndexError) -> [UInt8]? {
        try with(table, key) { Array($0) }
    }

    borrowing func put(_ table: IndexTable, _ key: IndexKey, _ value: [UInt8]) throws(IndexError) {
        var code: Int32 = 0
        let seed = key.bytes.withUnsafeBytes { Checksum.seed(table, $0) }
        Checksum.seal(value, seed: seed).withUnsafeBytes { valueBytes in
            key.bytes.withUnsafeBytes { keyBytes in
                var lmdbKey = MDB_val(
                    mv_size: keyBytes.count, mv_data: UnsafeMutableRawPointer(mutating: keyBytes.baseAddress))
                var lmdbValue = MDB_val(
                    mv_size: valueBytes.count, mv_data: UnsafeMutableRawPointer(mutating: valueBytes.baseAddress))
                code = mdb_put(handle, environment.handle(of: table), &lmdbKey, &lmdbValue, 0)
            }
        }
        try IndexError.check(code, "mdb_put")
    }

    borrowing func delete(_ table: IndexTable, _ key: IndexKey) throws(IndexError) {
        var code: Int32 = 0
        key.bytes.withUnsafeBytes { keyBytes in
            var lmdbKey = MDB_val(
                mv_size: keyBytes.count, mv_data: UnsafeMutableRawPointer(mutating: keyBytes.baseAddress))
            code = mdb_del(handle, environment.handle(of: table), &lmdbKey, nil)
        }
        guard code == 0 || code == MDB_NOTFOUND else { throw IndexError(code, "mdb_del") }
    }

    /// Visits the entries of a table in the order of their keys, from the first that is not before `start`, until `body` says stop
    /// (false). A value whose checksum is wrong is visited as nil.
    borrowing func visit(
        _ table: IndexTable, from start: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Bool
    ) throws(IndexError) {
        var opened: OpaquePointer?
        try IndexError.check(mdb_cursor_open(handle, environment.handle(of: table), &opened), "mdb_cursor_open")
        guard let cursor = opened else { throw IndexError(ENOMEM, "mdb_cursor_open") }
        defer { mdb_cursor_close(cursor) }
        var code: Int32 = 0
        var lmdbKey = MDB_val()
        var lmdbValue = MDB_val()
        start.withUnsafeBytes { bytes in
            lmdbKey.mv_size = bytes.count
            lmdbKey.mv_data = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            // An empty key is no key to LMDB.
            code = mdb_cursor_get(cursor, &lmdbKey, &lmdbValue, bytes.isEmpty ? MDB_FIRST : MDB_SET_RANGE)
        }
        while code == 0 {
            let key = UnsafeRawBufferPointer(start: lmdbKey.mv_data, count: lmdbKey.mv_size)
            let value = UnsafeRawBufferPointer(start: lmdbValue.mv_data, count: lmdbValue.mv_size)
            guard body(key, Checksum.open(value, seed: Checksum.seed(table, key))) else { return }
            code = mdb_cursor_get(cursor, &lmdbKey, &lmdbValue, MDB_NEXT)
        }
        guard code == MDB_NOTFOUND else { throw IndexError(code, "mdb_cursor_get") }
    }
}
