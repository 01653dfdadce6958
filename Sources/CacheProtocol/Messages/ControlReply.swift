public import WireFormat

/// What the supervisor is answered.
public enum ControlReply: Hashable, Sendable {
    case pinned(PinnedSnapshot)
    case attached
    /// At most 60 KB of JSON.
    case status(json: String)
    case shuttingDown

    public func encode() -> WireWriter {
        var writer = WireWriter()
        switch self {
        case .pinned(let snapshot): snapshot.encode(into: &writer)
        case .status(let json): writer.put(json)
        case .attached, .shuttingDown: break
        }
        return writer
    }

    public init(operation: CacheOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .pin: self = .pinned(try PinnedSnapshot(from: &reader))
        case .attach: self = .attached
        case .status: self = .status(json: try reader.string())
        case .shutDown: self = .shuttingDown
        case .hello, .directory, .stat, .open, .cancel: throw .invalid("reply to a worker's operation")
        }
        try reader.end()
    }
}
