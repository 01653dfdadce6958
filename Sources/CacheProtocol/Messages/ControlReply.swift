public import WireFormat

/// What the supervisor is answered.
public enum ControlReply: Hashable, Sendable {
    case pinned(PinnedSnapshot)
    /// The snapshot has a `change`.
    case pinnedChangelist(PinnedSnapshot)
    case attached
    /// At most 60 KB of JSON.
    case status(json: String)
    case shuttingDown
    /// The version agreed on.
    case greeted(version: UInt16)
    case deposited
    case released
    /// Two descriptors come with the message: /dev/fuse and the session memory.
    case reclaimed
    case holdings([String])
    case pulse([ThreadPulse])
    /// If present, three descriptors come with the message: the image, a read-only file; the directory of the data layer; that of the
    /// inbox.
    case sealed(present: Bool)
    case collecting
    /// The number the sweep will have at least (`sweep.number` in the status).
    case verifying(sweep: UInt64)
    /// The preload's number among those of its origin, in the status; and what it fetches.
    case prefetching(number: UInt64, PinnedSnapshot)
    /// In the order of the places; nil where there is nothing. What is not known of an entry is marked in its flags.
    case found([PackedEntry?])
    /// A packed directory of at most `WorkerReply.inlineDirectoryLimit` bytes.
    case listing([UInt8])
    /// A longer one: a sealed memfd of `size` bytes comes with the message.
    case listingFile(size: UInt64)
    case telling

    public var descriptorCount: Int {
        switch self {
        case .reclaimed: 2
        case .sealed(present: true): 3
        case .listingFile: 1
        default: 0
        }
    }

    public func encode() -> WireWriter {
        var writer = WireWriter()
        switch self {
        case .pinned(let snapshot): snapshot.encode(into: &writer)
        case .pinnedChangelist(let snapshot):
            snapshot.encode(into: &writer)
            writer.put(UInt8(snapshot.change == nil ? 0 : 1))
            snapshot.change?.encode(into: &writer)
        case .status(let json): writer.put(json)
        case .greeted(let version): writer.put(version)
        case .holdings(let mounts):
            writer.put(UInt32(mounts.count))
            for mount in mounts { writer.put(mount) }
        case .pulse(let threads):
            writer.put(UInt32(threads.count))
            for thread in threads { thread.encode(into: &writer) }
        case .sealed(let present): writer.put(UInt8(present ? 1 : 0))
        case .verifying(let sweep): writer.put(sweep)
        case .prefetching(let number, let snapshot):
            writer.put(number)
            snapshot.encode(into: &writer)
        case .found(let entries):
            writer.put(UInt32(entries.count))
            for entry in entries {
                writer.put(UInt8(entry == nil ? 0 : 1))
                entry?.encode(into: &writer)
            }
        case .listing(let packed):
            writer.put(UInt8(0))
            writer.put(raw: packed)
        case .listingFile(let size):
            writer.put(UInt8(1))
            writer.put(size)
        case .attached, .shuttingDown, .deposited, .released, .reclaimed, .collecting, .telling: break
        }
        return writer
    }

    public init(operation: CacheOperation, from reader: inout WireReader) throws(WireError) {
        switch operation {
        case .pin: self = .pinned(try PinnedSnapshot(from: &reader))
        case .pinChangelist:
            var snapshot = try PinnedSnapshot(from: &reader)
            if try reader.uint8() == 1 { snapshot.change = try PinnedChange(from: &reader) }
            self = .pinnedChangelist(snapshot)
        case .attach: self = .attached
        case .status: self = .status(json: try reader.string())
        case .shutDown: self = .shuttingDown
        case .greet: self = .greeted(version: try reader.uint16())
        case .deposit: self = .deposited
        case .release: self = .released
        case .reclaim: self = .reclaimed
        case .holdings:
            var mounts: [String] = []
            for _ in 0..<(try reader.uint32()) { mounts.append(try reader.string()) }
            self = .holdings(mounts)
        case .ping:
            var threads: [ThreadPulse] = []
            for _ in 0..<(try reader.uint32()) { threads.append(try ThreadPulse(from: &reader)) }
            self = .pulse(threads)
        case .sealed: self = .sealed(present: try reader.uint8() == 1)
        case .collect: self = .collecting
        case .verify: self = .verifying(sweep: try reader.uint64())
        case .prefetch:
            let number = try reader.uint64()
            self = .prefetching(number: number, try PinnedSnapshot(from: &reader))
        case .lookUp:
            var entries: [PackedEntry?] = []
            for _ in 0..<(try reader.uint32()) {
                entries.append(try reader.uint8() == 0 ? nil : try PackedEntry(from: &reader))
            }
            self = .found(entries)
        case .list:
            self = try reader.uint8() == 0 ? .listing(reader.rest()) : .listingFile(size: try reader.uint64())
        case .tell: self = .telling
        case .hello, .directory, .stat, .open, .cancel, .provide, .ahead:
            throw .invalid("reply to a worker's operation")
        }
        try reader.end()
    }
}
