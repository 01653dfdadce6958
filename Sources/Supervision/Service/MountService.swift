/// What the supervisor does for its clients. The HTTP API is a skin over this; tests of the API put their own behind it.
public protocol MountService: Sendable {
    /// Makes a mount and returns when it is `Ready`. Idempotent by job: the same request again, also at the same time, answers the
    /// same mount; another request under the same job is a `.conflict`. `caller` owns the tree unless the request says otherwise.
    func create(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus
    /// The same, but returns at once. What becomes of it is in its status: one that fails stays as `Failed` until it is removed, while its job
    /// may be used anew.
    func begin(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus
    func mounts() async -> [MountStatus]
    /// Throws `.notFound`.
    func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus
    func mount(job: String) async throws(SupervisorError) -> MountStatus
    /// Ends a mount; returns when nothing is left of it (state `.unmounted`). Throws `.mountFailed` if that could not be had; the mount
    /// then stays listed and the call can be repeated. Asked again meanwhile with other options, they are added to the first ones.
    func remove(_ id: MountID, _ options: UnmountOptions, caller: Caller) async throws(SupervisorError) -> MountStatus
    /// Begins the mount's lease anew, with another time to live if one is given (seconds). Throws `.conflict` if it has no lease.
    func renew(_ id: MountID, timeToLive: Int?) async throws(SupervisorError) -> MountStatus
    /// No mount is made any more, until it is called with false; those that exist stay.
    func drain(_ on: Bool) async
    /// Gives a mount that was quarantined, or whose worker misbehaves, a new worker, under running jobs; returns when it serves. Throws
    /// `.notFound`, `.conflict` if the mount is being made or ended, `.mountFailed` if no worker can be kept up.
    func reset(_ id: MountID) async throws(SupervisorError) -> MountStatus
    /// Exchanges the changelist of a mount: builds the next view beside the one that it has and puts it in its place in one step. Throws `.notFound`,
    /// `.conflict` if the job has written and the request does not say what is to become of that, or another exchange is under way, and whatever keeps a
    /// mount from being made; the mount then is as it was.
    func exchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus
    /// As `exchange`, but answers as soon as it is under way; how it ends is in the mount's status. Throws what keeps it from beginning.
    func beginExchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus
    /// What the job of a mount wrote: how what it shows differs from its snapshot, in the order of the bytes of the paths. Throws `.notFound`,
    /// `.conflict` if the mount is not ready or its upper cannot be reached, `.timedOut` if there is too much to look at, `.overloaded` while
    /// others ask the same.
    func changes(_ id: MountID) async throws(SupervisorError) -> [UpperChange]
    func health() async -> ServiceHealth
    /// Every process. Waits for none of them, and touches no mount.
    func status() async -> ServiceStatus
    /// What happened, and what happens.
    var events: EventLog { get }
    /// The metrics in the Prometheus text format. Touches no mount and waits for no other process.
    func metrics() async -> String
    /// What the cache owner says of itself, as JSON. Throws `.timedOut` or `.internalError` while there is none.
    func cacheStatus() async throws(SupervisorError) -> String
    /// Begins to evict until the cache takes `target` bytes, or is at its low watermark.
    func collectCache(target: UInt64?) async throws(SupervisorError)
    /// Begins to look at the contents of all cached objects; the sweep's number in the status.
    func verifyCache() async throws(SupervisorError) -> UInt64
    /// Begins to fetch a tree in the background, so that nobody has to wait for it later.
    func prefetchCache(_ request: PrefetchRequest) async throws(SupervisorError) -> PrefetchStatus
}

/// What is to be fetched before anybody asks for it.
public struct PrefetchRequest: Hashable, Sendable {
    /// Nil is the default origin, a nil revision its head.
    public var origin: String?
    public var revision: String?
    public var path = "/"
    /// Levels of directories below the path; nil for all.
    public var depth: UInt32?
    /// What is in the files, too.
    public var contents = false

    public init() {}
}

/// A preload that was begun: its number among those of its origin in the cache's status.
public struct PrefetchStatus: Hashable, Sendable {
    public var preload: UInt64
    public var origin: String
    public var commit: String
    /// Whether the next mount of it is sealed.
    public var isSealed: Bool

    public init(preload: UInt64, origin: String, commit: String, isSealed: Bool = false) {
        self.preload = preload
        self.origin = origin
        self.commit = commit
        self.isSealed = isSealed
    }
}

extension MountService {
    public func begin(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus {
        try await create(request, caller: caller)
    }

    public func status() async -> ServiceStatus {
        ServiceStatus(health: await health(), mountsByState: [:], isHardened: true, processes: [])
    }

    public func beginExchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus {
        try await exchange(id, request)
    }

    public func exchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus {
        throw SupervisorError(.internalError, "changelists are not exchanged here")
    }

    public func cacheStatus() async throws(SupervisorError) -> String { throw noCache }
    public func collectCache(target: UInt64?) async throws(SupervisorError) { throw noCache }
    public func verifyCache() async throws(SupervisorError) -> UInt64 { throw noCache }
    public func prefetchCache(_ request: PrefetchRequest) async throws(SupervisorError) -> PrefetchStatus {
        throw noCache
    }

    private var noCache: SupervisorError {
        SupervisorError(.internalError, "there is no cache owner")
    }
}

/// Who asks: the credentials of the other end of the socket, and what it may do.
public struct Caller: Hashable, Sendable {
    public var uid: UInt32
    public var gid: UInt32
    public var pid: Int32
    /// All its groups, the first among them.
    public var groups: [UInt32]
    public var role: Role
    /// False for whoever comes over TCP where nobody is asked.
    public var isAuthenticated = true
    /// Where a connection over TCP comes from, `address:port`.
    public var address: String?
    /// Trees for which it names no uid are root's, not its own: an operator with a token has the uid of all agents with one, and these are not to
    /// see and end what it has.
    public var ownsAsRoot = false

    public init(uid: UInt32, gid: UInt32, pid: Int32, groups: [UInt32] = [], role: Role = .operator) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.groups = groups
        self.role = role
    }

    /// Whether this is a mount that it may see and end.
    public func owns(_ mount: MountStatus) -> Bool {
        role != .agent || mount.owner == uid
    }

    /// Whether this is an event that it may see: an agent sees those of its own mounts.
    public func sees(_ event: SupervisionEvent) -> Bool {
        role != .agent || event.owner == uid
    }

    /// Whose a tree is that it asks for.
    public func owner(of request: MountRequest) -> (uid: UInt32, gid: UInt32) {
        let own = ownsAsRoot && request.uid == nil ? (uid: 0, gid: 0) : (uid: uid, gid: gid)
        return (request.uid ?? own.uid, request.gid ?? own.gid)
    }

    /// Whether it may have a tree made for somebody.
    public func mayActFor(uid: UInt32?, gid: UInt32?) -> Bool {
        guard role == .agent else { return true }
        return (uid ?? self.uid) == self.uid && gid.map { $0 == self.gid || groups.contains($0) } ?? true
    }
}

/// A process of ours that serves no single mount.
public struct ServiceProcess: Hashable, Sendable {
    public var kind: ProcessKind
    public var pid: Int32
    /// Private memory in bytes, nil if it cannot be read.
    public var memoryBytes: UInt64?
    /// How often it was started again by this supervisor, and why the last time.
    public var restarts: Int
    public var lastRestartCause: String?

    public init(
        kind: ProcessKind, pid: Int32, memoryBytes: UInt64? = nil, restarts: Int = 0, lastRestartCause: String? = nil
    ) {
        self.kind = kind
        self.pid = pid
        self.memoryBytes = memoryBytes
        self.restarts = restarts
        self.lastRestartCause = lastRestartCause
    }
}

/// The supervisor in one glance.
public struct ServiceHealth: Hashable, Sendable {
    public var mountCount: Int
    public var uptimeSeconds: Int
    public var spareWorkers: Int
    public var cachePID: Int32?
    /// Why something does not work as it should; empty if all is well.
    public var problems: [String]
    /// The supervisor, the cache owner and the spares; the workers are told with their mounts.
    public var processes: [ServiceProcess] = []

    public init(mountCount: Int, uptimeSeconds: Int, spareWorkers: Int, cachePID: Int32?, problems: [String]) {
        self.mountCount = mountCount
        self.uptimeSeconds = uptimeSeconds
        self.spareWorkers = spareWorkers
        self.cachePID = cachePID
        self.problems = problems
    }
}
