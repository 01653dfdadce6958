public import GitObjects
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
    /// Which versions of this protocol the supervisor speaks; what it asks first.
    case greet(oldest: UInt16, newest: UInt16)
    /// Keep copies of a mount's /dev/fuse and session memory, which come with the message in this order. Replaces an earlier deposit. In
    /// force as soon as it is sent: a socket delivers what was sent to it even when the sender has died.
    ///
    /// `image` is what a sealed mount stands on: what is in use is evicted last.
    case deposit(mount: String, image: ImageReference? = nil)
    /// Close the copies of a mount. None kept is no error.
    case release(mount: String)
    /// Send copies of what was deposited for a mount.
    case reclaim(mount: String)
    /// For which mounts something is kept.
    case holdings
    /// Whether the owner's threads move.
    case ping
    /// The sealed image of a snapshot, by its root directory and its time in seconds after 1970.
    case sealed(origin: String, root: ObjectID, commitTime: Int64)
    /// Evict until all stores together take `target` bytes, or are at the low watermark if it is nil; and delete what was set aside as damaged.
    /// The status tells how it goes.
    case collect(target: UInt64?)
    /// Look at the contents of all objects now. The status tells how it goes.
    case verify
    /// Have the tree of a revision, `depth` levels of directories below `path` (nil for all), and if `contents` what is in its files, fetched in
    /// the background. The status tells how it goes.
    case prefetch(origin: String, revision: String, path: [UInt8], depth: UInt32?, contents: Bool)
    /// As `pin`, with a changelist applied to the commit. `root` is where the changelist begins; nil has that found out. The revision is
    /// not used with the changelist's own base. Since version 3.
    case pinChangelist(
        origin: String, revision: String, path: [UInt8], changelist: String, root: [UInt8]?, base: ChangelistBase)
    /// What is at many places of the origin's trees, a page of `TreePlace.pages`. What is not in the store is fetched. Since version 4.
    case lookUp(origin: String, places: [TreePlace])
    /// The packed directory of this id, fetched if it is not in the store. Since version 4.
    case list(origin: String, directory: ObjectID)
    /// Tell of requests to origins that take longer from now on; 0 for of none. Since version 5.
    case tell(slowMilliseconds: UInt64)

    public var operation: CacheOperation {
        switch self {
        case .pin: .pin
        case .attach: .attach
        case .status: .status
        case .shutDown: .shutDown
        case .greet: .greet
        case .deposit: .deposit
        case .release: .release
        case .reclaim: .reclaim
        case .holdings: .holdings
        case .ping: .ping
        case .sealed: .sealed
        case .collect: .collect
        case .verify: .verify
        case .prefetch: .prefetch
        case .pinChangelist: .pinChangelist
        case .lookUp: .lookUp
        case .list: .list
        case .tell: .tell
        }
    }

    /// How many descriptors the message carries.
    public var descriptorCount: Int {
        switch self {
        case .attach: 1
        case .deposit: 2
        default: 0
        }
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
        case .greet(let oldest, let newest):
            writer.put(oldest)
            writer.put(newest)
        case .deposit(let mount, let image):
            writer.put(mount)
            writer.put(UInt8(image == nil ? 0 : 1))
            image?.encode(into: &writer)
        case .release(let mount), .reclaim(let mount):
            writer.put(mount)
        case .sealed(let origin, let root, let commitTime):
            writer.put(origin)
            writer.put(root)
            writer.put(commitTime)
        case .collect(let target):
            writer.put(target ?? .max)
        case .prefetch(let origin, let revision, let path, let depth, let contents):
            writer.put(origin)
            writer.put(revision)
            writer.put(bytes: path)
            writer.put(depth ?? .max)
            writer.put(UInt8(contents ? 1 : 0))
        case .pinChangelist(let origin, let revision, let path, let changelist, let root, let base):
            writer.put(origin)
            writer.put(revision)
            writer.put(bytes: path)
            writer.put(changelist)
            writer.put(UInt8(root == nil ? 0 : 1))
            writer.put(bytes: root ?? [])
            writer.put(base.rawValue)
        case .lookUp(let origin, let places):
            writer.put(origin)
            writer.put(UInt32(places.count))
            for place in places { place.encode(into: &writer) }
        case .list(let origin, let directory):
            writer.put(origin)
            writer.put(directory)
        case .tell(let milliseconds):
            writer.put(milliseconds)
        case .status, .shutDown, .holdings, .ping, .verify:
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
        case .greet: self = .greet(oldest: try reader.uint16(), newest: try reader.uint16())
        case .deposit:
            let mount = try reader.string()
            self = .deposit(mount: mount, image: try reader.uint8() == 0 ? nil : try ImageReference(from: &reader))
        case .release: self = .release(mount: try reader.string())
        case .reclaim: self = .reclaim(mount: try reader.string())
        case .holdings: self = .holdings
        case .ping: self = .ping
        case .sealed:
            self = .sealed(
                origin: try reader.string(), root: try reader.objectID(), commitTime: try reader.int64())
        case .collect:
            let target = try reader.uint64()
            self = .collect(target: target == .max ? nil : target)
        case .verify: self = .verify
        case .prefetch:
            let (origin, revision) = (try reader.string(), try reader.string())
            let path = try reader.lengthPrefixedBytes()
            let depth = try reader.uint32()
            self = .prefetch(
                origin: origin, revision: revision, path: path, depth: depth == .max ? nil : depth,
                contents: try reader.uint8() == 1)
        case .pinChangelist:
            let (origin, revision) = (try reader.string(), try reader.string())
            let path = try reader.lengthPrefixedBytes()
            let changelist = try reader.string()
            let hasRoot = try reader.uint8() == 1
            let root = try reader.lengthPrefixedBytes()
            guard let base = ChangelistBase(rawValue: try reader.uint8()) else { throw .invalid("base") }
            self = .pinChangelist(
                origin: origin, revision: revision, path: path, changelist: changelist, root: hasRoot ? root : nil,
                base: base)
        case .lookUp:
            let origin = try reader.string()
            var places: [TreePlace] = []
            for _ in 0..<(try reader.uint32()) { places.append(try TreePlace(from: &reader)) }
            self = .lookUp(origin: origin, places: places)
        case .list: self = .list(origin: try reader.string(), directory: try reader.objectID())
        case .tell: self = .tell(slowMilliseconds: try reader.uint64())
        case .hello, .directory, .stat, .open, .cancel, .provide, .ahead:
            throw .invalid("operation on the control socket")
        }
        try reader.end()
    }
}
