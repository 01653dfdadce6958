public import GitObjects

/// What a worker must know about its mount; written once by the supervisor into the session memory.
public struct SessionParameters: Hashable, Sendable {
    /// The mount's root directory in the cache.
    public var root: ObjectID
    /// mtime, ctime and atime of everything: the commit's time, seconds after 1970.
    public var time: Int64
    /// Owner and group of everything.
    public var uid: UInt32
    public var gid: UInt32
    /// The name that the readiness probe opens in the root; random, so that no tree has it. ASCII, at most 63 bytes.
    public var probeName: String
    /// Nanoseconds a request may wait without progress.
    public var requestTimeout: UInt64
    /// Bytes per second that an origin must manage at least; extends the deadline of a large blob.
    public var minimumRate: UInt64

    public init(
        root: ObjectID, time: Int64, uid: UInt32, gid: UInt32, probeName: String, requestTimeout: UInt64,
        minimumRate: UInt64
    ) {
        self.root = root
        self.time = time
        self.uid = uid
        self.gid = gid
        self.probeName = probeName
        self.requestTimeout = requestTimeout
        self.minimumRate = minimumRate
    }
}
