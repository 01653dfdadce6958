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

    /// What the mount's files come from.
    public enum Lower: String, Codable, Hashable, Sendable {
        /// The worker: metadata and data on demand.
        case lazy
        /// The snapshot's sealed metadata and the object files; the worker only has fetched what is missing.
        case sealed
    }

    /// A worker that hung, as it was seen before it was killed.
    public struct Incident: Hashable, Sendable {
        /// Milliseconds after 1970.
        public var time: Int64
        public var pid: Int32
        public var cause: String
        /// What the kernel showed of it: state, and of each thread where it waited; and what it was working on.
        public var report: [String]

        public init(time: Int64, pid: Int32, cause: String, report: [String]) {
            self.time = time
            self.pid = pid
            self.cause = cause
            self.report = report
        }
    }

    public var id: MountID
    public var request: MountRequest
    /// Whose tree it is.
    public var owner: UInt32
    public var state: MountState
    public var mountpoint: String
    /// The upper directory of the overlay.
    public var upper: String
    /// The commit in hex, once it is known.
    public var commit: String?
    /// The changelist on top of the commit, once it is applied.
    public var changelist: AppliedChangelist?
    public var origin: String
    /// Milliseconds after 1970.
    public var createdAt: Int64
    /// The last change or idempotent request, milliseconds after 1970.
    public var lastSeen: Int64
    /// Milliseconds from the request to `Ready`, once it is.
    public var readyAfter: Double?
    /// Nil before the worker serves and after it ended.
    public var worker: Worker?
    public var lower = Lower.lazy
    /// The last workers that hung.
    public var incidents: [Incident]
    /// How its unmount went or goes; nil before one was asked for.
    public var unmount: UnmountReport?
    /// The last exchange of its changelist, or the one under way.
    public var exchange: SwitchReport?
    /// Seconds until the time to live is over; nil without one.
    public var leaseLeft: Double?

    public init(
        id: MountID, request: MountRequest, state: MountState, mountpoint: String, upper: String, commit: String?,
        origin: String, createdAt: Int64, lastSeen: Int64, readyAfter: Double?, worker: Worker?,
        incidents: [Incident] = [],
        unmount: UnmountReport? = nil,
        leaseLeft: Double? = nil, owner: UInt32 = 0
    ) {
        self.id = id
        self.owner = owner
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
        self.incidents = incidents
        self.unmount = unmount
        self.leaseLeft = leaseLeft
    }

    /// The name by which clients find it: the job, else the build.
    public var job: String? {
        request.jobID ?? request.buildID
    }
}
