import CacheProtocol
import GitObjects
import LinuxSystem

/// What an operation lacks. Equal dependencies are asked for once, however many operations wait.
enum Dependency: Hashable, Sendable {
    case directory(ObjectID)
    /// Mode and size of one entry.
    case stat(directory: ObjectID, index: Int)
    case blob(ObjectID, size: UInt64)
    /// The blob in the data layer of a sealed snapshot.
    case object(ObjectID)

    var request: WorkerRequest {
        switch self {
        case .directory(let id): .directory(id)
        case .stat(let directory, let index): .stat(directory: directory, index: UInt32(index))
        case .blob(let id, let size): .open(id, expectedSize: size)
        case .object(let id): .provide(id)
        }
    }

    /// How long it may take: `timeout` nanoseconds, and for contents what they need at `minimumRate` bytes per second.
    func allowance(timeout: UInt64, minimumRate: UInt64) -> Duration {
        var nanoseconds = timeout
        if case .blob(_, let size) = self, minimumRate > 0 {
            let transfer = size.multipliedFullWidth(by: 1_000_000_000)
            let extra = transfer.high < minimumRate ? minimumRate.dividingFullWidth(transfer).quotient : .max
            nanoseconds = nanoseconds.addingReportingOverflow(extra).overflow ? .max : nanoseconds + extra
        }
        return .nanoseconds(Int64(clamping: nanoseconds))
    }
}

/// What came for a dependency.
enum Supply: Sendable {
    case directory(PackedDirectory)
    case stat(mode: UInt32, size: UInt64)
    case blob(BlobContents)
    case provided
    /// An object that is to be read piece by piece.
    case large(size: UInt64)
}

/// The contents of a blob: bytes, or the object file in the cache.
enum BlobContents: Sendable {
    case bytes([UInt8])
    case file(SharedFD, size: UInt64)

    var size: UInt64 {
        switch self {
        case .bytes(let bytes): UInt64(bytes.count)
        case .file(_, let size): size
        }
    }
}
