import CacheProtocol
import GitObjects
import LinuxSystem

/// What can be fetched once for everybody.
enum FlightKey: Hashable, Sendable {
    case directory(ObjectID)
    /// `size` is what its tree says; nil if that does not.
    case blob(ObjectID, size: UInt64?)
    /// Size of a blob and, if `mode`, whether its contents are those of a program.
    case information(ObjectID, mode: Bool)
    case pin(revision: String, path: [UInt8])
    case changelist(ChangelistQuestion)
}

/// What a flight brings.
enum FlightValue: Sendable {
    /// A packed directory.
    case directory([UInt8])
    /// The contents of a small blob.
    case contents([UInt8])
    /// A read-only descriptor of an object file.
    case file(SharedFD, size: UInt64)
    case information(size: UInt64, executable: Bool?)
    case pinned(PinnedSnapshot)

    /// Bytes of a blob; 0 for anything else.
    var blobSize: UInt64 {
        switch self {
        case .contents(let bytes): UInt64(bytes.count)
        case .file(_, let size): size
        default: 0
        }
    }
}

typealias FlightResult = Result<FlightValue, CacheError>

/// Called once, on whatever thread knows the answer; it must not block.
typealias FlightRecipient = @Sendable (FlightResult) -> Void

typealias FlightTable = Flights<FlightKey, FlightValue, FlightRecipient>
