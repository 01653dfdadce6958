public import WireFormat

/// What the supervisor asks on the owner's control socket.
public enum ControlRequest: Hashable, Sendable {
    /// Resolve a revision and a path to a snapshot. `revision` is a commit, a tag, a branch or empty for the origin's head.
    case pin(origin: String, revision: String, path: [UInt8])
    /// Serve the worker at the other end of the socket that comes with this message; it may ask for objects of `origin` only.
    case attach(mount: String, origin: String)
    /// Counters and state as JSON.
    case status
    /// End after the writes under way.
    case shutDown

    public var operation: CacheOperation {
        switch self {
        case .pin: .pin
        case .attach: .attach
        case .status: .status
        case .shutDown: .shutDown
        }
    }

    public var carriesDescriptor: Bool {
        if case .attach = self { true } else { false }
    }

    public func encode() -> WireWriter {
        var writer = WireWriter()
        switch self {
        case .pin(let origin, let revision, let path):
            writer.put(origin)
            writer.put(revision)
            writer.put(bytes: path)
        case .attach(let mount, let origin):
            writer.put(mount)
            writer.put(origin)
        case .status, .shutDown:
            break
        }
        return writer
    }

    public init(operation: CacheOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .pin:
            self = .pin(
                origin: try reader.string(), revision: try reader.string(), path: try reader.lengthPrefixedBytes())
        case .attach:
            self = .attach(mount: try reader.string(), origin: try reader.string())
        case .status: self = .status
        case .shutDown: self = .shutDown
        case .hello, .directory, .stat, .open, .cancel: throw .invalid("operation on the control socket")
        }
        try reader.end()
    }
}
