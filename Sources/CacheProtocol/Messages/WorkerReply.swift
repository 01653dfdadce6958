public import WireFormat

/// What a worker is answered. Each reply is sent with exactly as many descriptors as it says.
public enum WorkerReply: Hashable, Sendable {
    case hello(version: UInt16)
    /// A packed directory of at most `inlineDirectoryLimit` bytes.
    case directory([UInt8])
    /// A longer one: a sealed memfd of `size` bytes comes with the message.
    case directoryFile(size: UInt64)
    case stat(mode: UInt32, size: UInt64)
    /// The whole contents, at most `inlineBlobLimit` bytes.
    case blob([UInt8])
    /// A read-only descriptor of the object file comes with the message; the file has exactly `size` bytes.
    case blobFile(size: UInt64)
    /// The blob is in the data layer and in the inbox, where it stays for some seconds at least.
    case provided
    /// The blob is not in the store yet and too large for somebody to wait for the whole of it: it has to be read with `open`.
    case large(size: UInt64)
    /// Comes when it comes; nobody waits for it.
    case ahead(AheadAnswer)

    /// Bytes of a packed directory that travel inside the message.
    public static let inlineDirectoryLimit = 60 * 1024
    /// Bytes of a blob that travel inside the message; up to here that is cheaper than a descriptor.
    public static let inlineBlobLimit = 32 * 1024

    /// An object of more bytes that is not in the store is read piece by piece: its lookup would wait for the whole of it.
    public static let largeObject: UInt64 = 32 << 20

    public var descriptorCount: Int {
        switch self {
        case .directoryFile, .blobFile: 1
        case .ahead(let answer): answer.descriptorCount
        default: 0
        }
    }

    private enum Form: UInt8 {
        case inline = 0
        case descriptor = 1
    }

    private enum Provision: UInt8 {
        case provided = 0
        case large = 1
    }

    public func encode() -> WireWriter {
        var writer = WireWriter()
        switch self {
        case .hello(let version):
            writer.put(version)
        case .directory(let bytes), .blob(let bytes):
            writer.put(Form.inline.rawValue)
            writer.put(raw: bytes)
        case .directoryFile(let size), .blobFile(let size):
            writer.put(Form.descriptor.rawValue)
            writer.put(size)
        case .stat(let mode, let size):
            writer.put(mode)
            writer.put(size)
        case .provided:
            writer.put(Provision.provided.rawValue)
        case .large(let size):
            writer.put(Provision.large.rawValue)
            writer.put(size)
        case .ahead(let answer):
            answer.encode(&writer)
        }
        return writer
    }

    public init(operation: CacheOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .hello:
            self = .hello(version: try reader.uint16())
        case .directory:
            let (bytes, size) = try Self.contents(&reader)
            self = bytes.map { .directory($0) } ?? .directoryFile(size: size)
        case .open:
            let (bytes, size) = try Self.contents(&reader)
            self = bytes.map { .blob($0) } ?? .blobFile(size: size)
        case .stat:
            self = .stat(mode: try reader.uint32(), size: try reader.uint64())
        case .provide:
            switch Provision(rawValue: try reader.uint8()) {
            case .provided: self = .provided
            case .large: self = .large(size: try reader.uint64())
            case nil: throw .invalid("what was provided")
            }
        case .ahead:
            self = .ahead(try AheadAnswer(from: &reader))
        case .cancel, .pin, .attach, .status, .shutDown, .greet, .deposit, .release, .reclaim, .holdings, .ping,
            .sealed, .collect, .verify, .prefetch, .pinChangelist, .lookUp, .list, .tell:
            throw .invalid("reply to an operation that has none")
        }
        try reader.end()
    }

    private static func contents(_ reader: inout WireReader) throws(WireError) -> (bytes: [UInt8]?, size: UInt64) {
        switch Form(rawValue: try reader.uint8()) {
        case .inline: (reader.rest(), 0)
        case .descriptor: (nil, try reader.uint64())
        case nil: throw .invalid("form of contents")
        }
    }
}
