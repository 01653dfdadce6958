import CacheProtocol
import GitObjects

/// One thing the writer thread stores.
enum IndexChange: Sendable {
    /// A packed directory, with what the path keys among its entries stand for: a child must not be known before its key is.
    case directory(ObjectID, packed: [UInt8], paths: [ObjectID: PathRecord])
    /// A verified blob. `contents` is written to its object file first; nil when the file is already in place.
    case blob(ObjectID, size: UInt64, contents: [UInt8]?)
    /// What is known of a blob that need not be here.
    case blobInformation(ObjectID, size: UInt64, executable: Bool?)
    /// The object files are missing, evicted or set aside. One that is in its place when this is applied stays known.
    case blobsLost([ObjectID])
    /// Uses that were noted up to a time (seconds after 1970).
    case used(Set<ObjectID>, Int64)
    /// Mode and size of an entry that was packed without.
    case completed(directory: ObjectID, index: Int, mode: FileMode, size: UInt64)
    case snapshot(ObjectID, SnapshotRecord)
    case path(ObjectID, PathRecord)
    case ref(String, RefRecord)
    /// Intact entries of a damaged index.
    case salvaged([IndexSalvage.Entry])
    /// A sweep of the contents has ended (milliseconds after 1970).
    case swept(Int64)
    /// The index is damaged: an empty one is to take its place.
    case replaceIndex

    /// Roughly the memory it holds while it waits.
    var byteCount: Int {
        switch self {
        case .directory(_, let packed, let paths): packed.count + paths.count * 128
        case .blob(_, _, let contents): 128 + (contents?.count ?? 0)
        case .blobsLost(let ids): ids.count * 64
        case .used(let ids, _): ids.count * 64
        case .salvaged(let entries): entries.reduce(0) { $0 + 128 + $1.value.count }
        default: 128
        }
    }
}

extension BlobRecord {
    /// The record after a change; `self` is what was stored before.
    static func merged(
        _ old: BlobRecord?, size: UInt64, present: Bool, executable: Bool?, now: Int64
    ) -> BlobRecord {
        var record = BlobRecord(size: size, flags: [], lastUse: now)
        if let old {
            record.flags = old.flags
            // The size of verified contents is a fact, any other is only what the origin says.
            if old.flags.contains(.present) && !present { record.size = old.size }
        }
        if present { record.flags.insert(.present) }
        if let executable {
            record.flags.insert(.modeKnown)
            if executable { record.flags.insert(.executable) } else { record.flags.remove(.executable) }
        }
        return record
    }

    var executable: Bool? {
        flags.contains(.modeKnown) ? flags.contains(.executable) : nil
    }
}
