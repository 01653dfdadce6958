/// What the supervisor does for its clients. The HTTP API is a skin over this; tests of the API put their own behind it.
public protocol MountService: Sendable {
    /// Makes a mount and returns when it is `Ready`. Idempotent by job: the same request again, also at the same time, answers the
    /// same mount; another request under the same job is a `.conflict`. `caller` owns the tree unless the request says otherwise.
    func create(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountStatus
    func mounts() async -> [MountStatus]
    /// Throws `.notFound`.
    func mount(_ id: MountID) async throws(SupervisorError) -> MountStatus
    func mount(job: String) async throws(SupervisorError) -> MountStatus
    /// Ends a mount; returns when nothing is left of it (state `.unmounted`). Throws `.mountFailed` if that could not be had; the mount
    /// then stays listed and the call can be repeated.
    func remove(_ id: MountID) async throws(SupervisorError) -> MountStatus
    func health() async -> ServiceHealth
}

/// Who asks: the credentials of the other end of the socket.
public struct Caller: Hashable, Sendable {
    public var uid: UInt32
    public var gid: UInt32
    public var pid: Int32

    public init(uid: UInt32, gid: UInt32, pid: Int32) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
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

    public init(mountCount: Int, uptimeSeconds: Int, spareWorkers: Int, cachePID: Int32?, problems: [String]) {
        self.mountCount = mountCount
        self.uptimeSeconds = uptimeSeconds
        self.spareWorkers = spareWorkers
        self.cachePID = cachePID
        self.problems = problems
    }
}
