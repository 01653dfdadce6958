public import GitObjects

/// What a worker must know about its mount; written once by the supervisor into the session memory.
public struct SessionParameters: Hashable, Sendable {
    /// What the worker's filesystem is for.
    public enum Form: UInt8, Sendable, CaseIterable {
        /// It is the lower: metadata and data of the tree, on demand.
        case lazy = 0
        /// It holds the two data-only layers above and below the inbox of a sealed snapshot: `t`, in which looking an object up fetches it,
        /// and `e`, in which it fails with the reason why it could not be fetched.
        case trigger = 1
    }

    /// The mount's root directory in the cache.
    public var root: ObjectID
    /// mtime, ctime and atime: the commit's time, seconds after 1970.
    public var time: Int64
    /// mtime, ctime and atime of what a changelist has changed.
    public var changeTime: Int64
    /// Owner and group of everything.
    public var uid: UInt32
    public var gid: UInt32
    /// The name that the readiness probe opens in the root; random, so that no tree has it. ASCII, at most 63 bytes.
    public var probeName: String
    /// Nanoseconds a request may wait without progress.
    public var requestTimeout: UInt64
    /// Bytes per second that an origin must manage at least; extends the deadline of a large blob.
    public var minimumRate: UInt64
    public var form: Form

    public init(
        root: ObjectID, time: Int64, uid: UInt32, gid: UInt32, probeName: String, requestTimeout: UInt64,
        minimumRate: UInt64, form: Form = .lazy, changeTime: Int64? = nil
    ) {
        self.root = root
        self.time = time
        self.changeTime = changeTime ?? time
        self.uid = uid
        self.gid = gid
        self.probeName = probeName
        self.requestTimeout = requestTimeout
        self.minimumRate = minimumRate
        self.form = form
    }
}
