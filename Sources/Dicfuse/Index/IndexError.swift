import CLMDB
import Glibc

/// A call of LMDB that failed (lmdb.h, "Return Codes").
struct IndexError: Error, Hashable, Sendable, CustomStringConvertible {
    let code: Int32
    let operation: String

    init(_ code: Int32, _ operation: String) {
        self.code = code
        self.operation = operation
    }

    /// The file is not an index, or a damaged one: no retry helps.
    var isDamage: Bool {
        switch code {
        case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_VERSION_MISMATCH, MDB_PANIC, MDB_CURSOR_FULL,
            MDB_PAGE_FULL, MDB_INCOMPATIBLE, MDB_BAD_DBI, MDB_BAD_TXN:
            true
        default: false
        }
    }

    /// The disk, the quota or the map has no more room.
    var isLackOfSpace: Bool {
        code == ENOSPC || code == EDQUOT || code == MDB_MAP_FULL
    }

    var description: String {
        "\(operation): \(String(cString: mdb_strerror(code)))"
    }

    static func check(_ code: Int32, _ operation: String) throws(IndexError) {
        if code != 0 { throw IndexError(code, operation) }
    }
}
