/// What an origin serves, where, and within which bounds.
public struct OriginConfiguration: Sendable {
    /// A bare repository, a work tree or a `.git` directory.
    public var repository: String
    public var host: String
    /// 0 lets the kernel choose.
    public var port: Int
    /// Behaves as a published Mega server does: no extensions, ranges or caching headers, and tree ids that do not verify.
    public var strictMega: Bool
    /// The Git program; nil searches PATH.
    public var git: String?
    public var limits: Limits
    /// Besides `refs/cl/*`, and before it.
    public var changelists: [ChangelistRange]

    public struct Limits: Sendable {
        /// Until Git has answered a request or given the next bytes of a large one.
        public var gitDeadline: Duration = .seconds(30)
        /// Until a client has taken what is in flight to it.
        public var writeDeadline: Duration = .seconds(30)
        /// Until a connection without a request is closed.
        public var idleDeadline: Duration = .seconds(75)
        public var connections = 1024
        /// Descriptors to keep free of connections: four for each Git process, one for each transfer, and the server's own.
        public var reservedFiles: Int {
            64 + 4 * (self.readers + self.readers / 2 + 2 * self.differs + 2 * self.streams)
        }
        /// Bytes of all header fields of a request together.
        public var headerBytes = 32 * 1024
        /// Git processes that answer short requests, and threads that wait for them.
        public var readers = 4
        /// Git processes that compare trees.
        public var differs = 2
        /// Changed files kept in memory, about 200 bytes each.
        public var changeCache = 1 << 18
        /// Large blobs in transfer at the same time.
        public var streams = 16
        /// Requests that may wait for a Git process.
        public var queue = 4096
        /// Blobs up to this many bytes are read at once, larger ones are streamed.
        public var wholeBlob: UInt64 = 1 << 20
        /// Bytes of tree objects kept in memory.
        public var treeCache = 64 << 20
        /// Blob sizes kept in memory, about 100 bytes each.
        public var sizeCache = 1 << 20

        public init() {}
    }

    public init(
        repository: String, host: String = "127.0.0.1", port: Int = 0, strictMega: Bool = false, git: String? = nil,
        limits: Limits = Limits(), changelists: [ChangelistRange] = []
    ) {
        self.repository = repository
        self.host = host
        self.port = port
        self.strictMega = strictMega
        self.git = git
        self.limits = limits
        self.changelists = changelists
    }
}
