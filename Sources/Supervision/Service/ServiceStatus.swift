/// Everything that runs, at one glance.
public struct ServiceStatus: Hashable, Sendable {
    public var health: ServiceHealth
    /// How many mounts are in each state, by its name.
    public var mountsByState: [String: Int]
    /// Whether workers and cache owner gave up what they do not need.
    public var isHardened: Bool
    public var processes: [ProcessStatus]

    public init(health: ServiceHealth, mountsByState: [String: Int], isHardened: Bool, processes: [ProcessStatus]) {
        self.health = health
        self.mountsByState = mountsByState
        self.isHardened = isHardened
        self.processes = processes
    }
}

/// One process of ours.
public struct ProcessStatus: Hashable, Sendable {
    /// What a worker serves.
    public struct Serving: Hashable, Sendable {
        public var mount: MountID
        public var job: String?
        public var state: MountState
        public var lower: MountStatus.Lower
        /// Requests that it answered, of this mount's workers together.
        public var served: UInt64
        /// Requests that it has taken and not answered.
        public var inFlight: Int
        /// Requests of the kernel that wait for an answer; nil if the connection is gone.
        public var waiting: Int?
        /// Seconds since there was a moment without one, to the second; nil if none waits.
        public var waitingFor: Double?
        /// Seconds since the request came that has waited for longest, whichever worker it came to; nil if none waits. Of one that nobody has read to the
        /// second.
        public var oldest: Double?
        /// Who has the mount's descriptors: supervisor, worker, cache, manager.
        public var holders: [String]

        public init(
            mount: MountID, job: String?, state: MountState, lower: MountStatus.Lower, served: UInt64, inFlight: Int,
            waiting: Int?, waitingFor: Double?, oldest: Double?, holders: [String]
        ) {
            self.mount = mount
            self.job = job
            self.state = state
            self.lower = lower
            self.served = served
            self.inFlight = inFlight
            self.waiting = waiting
            self.waitingFor = waitingFor
            self.oldest = oldest
            self.holders = holders
        }
    }

    public var kind: ProcessKind
    public var pid: Int32
    /// Milliseconds after 1970.
    public var startedAt: Int64?
    public var restarts: Int
    public var lastRestartCause: String?
    /// Private memory in bytes.
    public var memoryBytes: UInt64?
    /// Milliseconds of processor time.
    public var cpuTime: UInt64?
    public var descriptors: Int?
    /// For workers of mounts.
    public var serving: Serving?

    /// What /proc has of a process; all nil if it is gone.
    public init(
        kind: ProcessKind, pid: Int32, restarts: Int = 0, lastRestartCause: String? = nil, serving: Serving? = nil
    ) {
        self.kind = kind
        self.pid = pid
        self.restarts = restarts
        self.lastRestartCause = lastRestartCause
        self.serving = serving
        let sample = ProcessSample(of: pid)
        startedAt = sample?.startedAt
        cpuTime = sample?.cpuTime
        descriptors = sample?.descriptors
        memoryBytes = ProcessMemory.privateBytes(of: pid)
    }
}
