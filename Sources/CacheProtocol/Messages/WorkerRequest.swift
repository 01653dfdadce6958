public import GitObjects
public import WireFormat

/// What a worker asks. All of it is idempotent: after the owner died the worker asks again.
public enum WorkerRequest: Hashable, Sendable {
    /// The first message on a socket; nothing else is answered before.
    case hello(oldest: UInt16, newest: UInt16)
    /// The packed directory with this id.
    case directory(ObjectID)
    /// Mode and size of one entry of a directory that has `Entry.Flags.sizeUnknown` or `.modeUnknown`.
    case stat(directory: ObjectID, index: UInt32)
    /// The verified contents of a blob. `expectedSize` is what the entry says, for deadlines and as a check.
    case open(ObjectID, expectedSize: UInt64)
    /// Put the verified contents of a blob into the data layer and the inbox of the origin's store (`StoreLayout`), for overlayfs to find.
    case provide(ObjectID)
    /// Hand over what is at hand of some entries, without fetching anything. Since version 2.
    case ahead(AheadRange)
    /// The asker of request `id` went away. No reply; the fetch goes on.
    case cancel(id: UInt64)

    public var operation: CacheOperation {
        switch self {
        case .hello: .hello
        case .directory: .directory
        case .stat: .stat
        case .open: .open
        case .provide: .provide
        case .ahead: .ahead
        case .cancel: .cancel
        }
    }

    public func encode() -> WireWriter {
        var writer = WireWriter()
        switch self {
        case .hello(let oldest, let newest):
            writer.put(oldest)
            writer.put(newest)
        case .directory(let id), .provide(let id):
            writer.put(id)
        case .stat(let directory, let index):
            writer.put(directory)
            writer.put(index)
        case .open(let id, let expectedSize):
            writer.put(id)
            writer.put(expectedSize)
        case .ahead(let range):
            range.encode(&writer)
        case .cancel(let id):
            writer.put(id)
        }
        return writer
    }

    public init(operation: CacheOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .hello: self = .hello(oldest: try reader.uint16(), newest: try reader.uint16())
        case .directory: self = .directory(try reader.objectID())
        case .stat: self = .stat(directory: try reader.objectID(), index: try reader.uint32())
        case .open: self = .open(try reader.objectID(), expectedSize: try reader.uint64())
        case .provide: self = .provide(try reader.objectID())
        case .ahead: self = .ahead(try AheadRange(from: &reader))
        case .cancel: self = .cancel(id: try reader.uint64())
        case .pin, .attach, .status, .shutDown, .greet, .deposit, .release, .reclaim, .holdings, .ping, .sealed,
            .collect, .verify, .prefetch, .pinChangelist, .lookUp, .list, .tell:
            throw .invalid("operation on a worker's socket")
        }
        try reader.end()
    }
}
