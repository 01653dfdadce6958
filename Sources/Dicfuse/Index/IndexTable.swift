import GitObjects

/// The tables of an index. The names are stored in the file.
enum IndexTable: String, CaseIterable, Sendable {
    /// Directory id → packed directory.
    case trees
    /// Blob id → `BlobRecord`.
    case blobs
    /// Commit id → `SnapshotRecord`.
    case snapshots
    /// Path key → `PathRecord`: what a directory without content address stands for.
    case paths
    /// Revision name → `RefRecord`.
    case refs
}

/// The key of an object in any table: its kind, then its bytes.
struct IndexKey: Hashable, Sendable {
    let bytes: [UInt8]

    init(_ id: ObjectID) {
        bytes = [id.kind.rawValue] + id.bytes
    }

    /// LMDB's keys have at most 511 bytes; nil for a longer name.
    init?(name: String) {
        bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count <= 511 else { return nil }
    }
}
