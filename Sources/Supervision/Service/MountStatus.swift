/// A mount as clients and operators see it.
public struct MountStatus: Hashable, Sendable {
    /// The process that serves the mount's lower.
    public struct Worker: Hashable, Sendable {
        public var pid: Int32
        /// How often a worker of this mount was replaced.
        public var restarts: Int
        /// Why the last one was; nil if none was.
        public var lastRestartCause: String?
        /// Private memory in bytes, nil if it cannot be read.
        public var memoryBytes: UInt64?
        /// Kernel requests that wait for an answer (fusectl), nil if the connection is gone.
        public var waiting: Int?
        public var served: UInt64

        public init(
            pid: Int32, restarts: Int, lastRestartCause: String?, memoryBytes: UInt64?, waiting: Int?, served: UInt64
        ) {
            self.pid = pid
            self.restarts = restarts
            self.lastRestartCause = lastRestartCause
            self.memoryBytes = memoryBytes
            self.waiting = waiting
            self.served = served
        }
    }

    public var id: MountID
    public var request: MountRequest
    public var state: MountState
    public var mountpoint: String
    /// The upper directory of the overlay.
    public var upper: String
    /// The commit in hex, once it is known.
    public var commit: String?
    public var origin: String
    /// Milliseconds after 1970.
    public var createdAt: Int64
    /// The last change or idempotent request, milliseconds after 1970.
    public var lastSeen: Int64
    /// Milliseconds from the request to `Ready`, once it is.
    public var readyAfter: Double?
    /// Nil before the worker serves and after it ended.
    public var worker: Worker?

    public init(
        id: MountID, request: MountRequest, state: MountState, mountpoint: String, upper: String, commit: String?,
        origin: String, createdAt: Int64, lastSeen: Int64, readyAfter: Double?, worker: Worker?
    ) {
        self.id = id
        self.request = request
        self.state = state
        self.mountpoint = mountpoint
        self.upper = upper
        self.commit = commit
        self.origin = origin
        self.createdAt = createdAt
        self.lastSeen = lastSeen
        self.readyAfter = readyAfter
        self.worker = worker
    }

    /// The name by which clients find it: the job, else the build.
    public var job: String? {
        request.jobID ?? request.buildID
    }
}
