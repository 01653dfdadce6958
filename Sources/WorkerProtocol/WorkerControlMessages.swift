public import WireFormat

/// What the supervisor asks of a worker.
public enum WorkerControlRequest: Hashable, Sendable {
    /// `version` is the one agreed on; a worker that does not speak it refuses before it touches the descriptors.
    case assume(version: UInt16, mount: String)
    case reconnectCache
    case status
    case stop
    case greet

    public var operation: WorkerOperation {
        switch self {
        case .assume: .assume
        case .reconnectCache: .reconnectCache
        case .status: .status
        case .stop: .stop
        case .greet: .greet
        }
    }

    /// How many descriptors the message carries.
    public var descriptorCount: Int {
        switch self {
        case .assume: 3
        case .reconnectCache: 1
        case .status, .stop, .greet: 0
        }
    }

    public func encode() -> WireWriter {
        var writer = WireWriter()
        if case .assume(let version, let mount) = self {
            writer.put(version)
            writer.put(mount)
        }
        return writer
    }

    public init(operation: WorkerOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .assume: self = .assume(version: try reader.uint16(), mount: try reader.string())
        case .reconnectCache: self = .reconnectCache
        case .status: self = .status
        case .stop: self = .stop
        case .greet: self = .greet
        }
        try reader.end()
    }
}

/// What a worker answers. An error reply carries one string: what failed.
public enum WorkerControlReply: Hashable, Sendable {
    /// The kernel's requests are being read.
    case serving
    case reconnected
    case status(WorkerStatus)
    case stopping
    case greeted(WorkerVersions)

    public func encode() -> WireWriter {
        var writer = WireWriter()
        switch self {
        case .status(let status): status.encode(into: &writer)
        case .greeted(let versions):
            writer.put(versions.control.lowerBound)
            writer.put(versions.control.upperBound)
            writer.put(versions.session.lowerBound)
            writer.put(versions.session.upperBound)
        case .serving, .reconnected, .stopping: break
        }
        return writer
    }

    public init(operation: WorkerOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .assume: self = .serving
        case .reconnectCache: self = .reconnected
        case .status: self = .status(try WorkerStatus(from: &reader))
        case .stop: self = .stopping
        case .greet:
            let (oldest, newest) = (try reader.uint16(), try reader.uint16())
            let (oldestLayout, newestLayout) = (try reader.uint32(), try reader.uint32())
            guard oldest <= newest, oldestLayout <= newestLayout else { throw .invalid("range of versions") }
            self = .greeted(WorkerVersions(control: oldest...newest, session: oldestLayout...newestLayout))
        }
        try reader.end()
    }
}
