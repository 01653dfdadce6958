import GitObjects

/// The tables of an index. The names and the numbers are stored in the file.
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
    /// Name → what is known of the store as a whole.
    case state

    /// Goes into the checksums of its values.
    var number: UInt64 {
        switch self {
        case .trees: 1
        case .blobs: 2
        case .snapshots: 3
        case .paths: 4
        case .refs: 5
        case .state: 6
        }
    }
}

/// The key of an object in any table: its kind, then its bytes.
struct IndexKey: Hashable, Sendable {
    let bytes: [UInt8]

    init(_ id: ObjectID) {
        bytes = [id.kind.rawValue] + id.bytes
    }

    /// `StoreUsage`.
    static let usage = IndexKey(stateName: "usage")
    /// Milliseconds after 1970 at which the last sweep of the contents ended.
    static let swept = IndexKey(stateName: "swept")

    private init(stateName: StaticString) {
        bytes = stateName.withUTF8Buffer { Array($0) }
    }

    /// A key as it was found in a damaged index.
    init?(salvaged bytes: [UInt8]) {
        guard !bytes.isEmpty, bytes.count <= 511 else { return nil }
        self.bytes = bytes
    }

    /// The object a key names.
    static func objectID(_ key: UnsafeRawBufferPointer) -> ObjectID? {
        guard let first = key.first, let kind = ObjectID.Kind(rawValue: first) else { return nil }
        return ObjectID(kind: kind, bytes: UnsafeRawBufferPointer(rebasing: key[1...]))
    }

    /// LMDB's keys have at most 511 bytes; nil for a longer name.
    init?(name: String) {
        bytes = Array(name.utf8)
        guard !bytes.isEmpty, bytes.count <= 511 else { return nil }
    }
}
