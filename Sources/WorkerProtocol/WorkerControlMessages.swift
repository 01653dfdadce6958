public import WireFormat

/// What the supervisor asks of a worker.
public enum WorkerControlRequest: Hashable, Sendable {
    /// `version` is the supervisor's; a worker that does not speak it refuses before it touches the descriptors.
    case assume(version: UInt16, mount: String)
    case reconnectCache
    case status
    case stop

    public var operation: WorkerOperation {
        switch self {
        case .assume: .assume
        case .reconnectCache: .reconnectCache
        case .status: .status
        case .stop: .stop
        }
    }

    /// How many descriptors the message carries.
    public var descriptorCount: Int {
        switch self {
        case .assume: 3
        case .reconnectCache: 1
        case .status, .stop: 0
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

    public func encode() -> WireWriter {
        var writer = WireWriter()
        if case .status(let status) = self { status.encode(into: &writer) }
        return writer
    }

    public init(operation: WorkerOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .assume: self = .serving
        case .reconnectCache: self = .reconnected
        case .status: self = .status(try WorkerStatus(from: &reader))
        case .stop: self = .stopping
        }
        try reader.end()
    }
}
