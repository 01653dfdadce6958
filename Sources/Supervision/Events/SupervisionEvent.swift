/// Something that happened to a mount, a process or the supervisor, as operators see it.
public struct SupervisionEvent: Hashable, Sendable {
    /// What happened. The raw value is part of the API: append, never rename.
    public enum Kind: String, CaseIterable, Sendable {
        // A mount came into a state.
        case mountProvisioning = "mount_provisioning"
        case mountMounted = "mount_mounted"
        case mountReady = "mount_ready"
        case mountQuiescing = "mount_quiescing"
        case mountUnmounting = "mount_unmounting"
        case mountUnmounted = "mount_unmounted"
        case mountFailed = "mount_failed"
        case mountQuarantined = "mount_quarantined"
        /// Its unmount waits; the cause says for whom.
        case mountBusy = "mount_busy"
        /// Those who used it were ended on request.
        case holdersEnded = "holders_ended"
        /// It could not be unmounted, and stays.
        case unmountFailed = "unmount_failed"
        /// Its time is over, nobody uses it, or its client is gone.
        case leaseEnded = "lease_ended"
        /// Its changelist is being exchanged: the next view is built beside the one that it has.
        case mountSwitching = "mount_switching"
        /// The next view has the place; the duration is that of the whole exchange.
        case mountSwitched = "mount_switched"
        /// The mount shows what it showed before.
        case switchFailed = "switch_failed"
        /// A view that was succeeded has nobody left who has it open, or its time was over.
        case viewEnded = "view_ended"
        // A new supervisor found it.
        case mountAdopted = "mount_adopted"
        case mountLost = "mount_lost"
        // The worker of a mount.
        case workerEnded = "worker_ended"
        case workerRefused = "worker_refused"
        /// It did not go on; the details are what was seen of it before it was killed.
        case workerHung = "worker_hung"
        /// A request that workers died of is answered EIO.
        case requestRefused = "request_refused"
        /// An operator asked for a new worker.
        case mountReset = "mount_reset"
        /// The next worker serves; the duration is the gap.
        case takeover
        case spareLost = "spare_lost"
        // The cache owner.
        case cacheStarted = "cache_started"
        case cacheAdopted = "cache_adopted"
        case cacheEnded = "cache_ended"
        case cacheReplaced = "cache_replaced"
        /// Something that nobody has any more was taken away: the details say what, and its age.
        case staleRemoved = "stale_removed"
        case preloadStarted = "preload_started"
        case preloadProgress = "preload_progress"
        case preloadEnded = "preload_ended"
        // The supervisor itself.
        case supervisorStarted = "supervisor_started"
        /// No mount is made any more, or mounts are made again.
        case supervisorDraining = "supervisor_draining"
        case supervisorResumed = "supervisor_resumed"
        case supervisorStopping = "supervisor_stopping"
        /// The configuration was read again.
        case supervisorReloaded = "supervisor_reloaded"
    }

    /// A named value for people and machines.
    public struct Detail: Hashable, Sendable {
        public let name: String
        public let value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Bytes of a cause and of the value of a detail; longer ones are cut.
    public static let maximumText = 512
    /// Details that are kept of one event.
    public static let maximumDetails = 12

    /// Grows with every event, also from one supervisor to the next; not without gaps between two supervisors.
    public let id: UInt64
    /// Milliseconds after 1970.
    public let time: Int64
    public let kind: Kind
    public let mount: MountID?
    public let job: String?
    /// Whose mount it is; not shown, but it decides who sees the event.
    public let owner: UInt32?
    /// Why it happened.
    public let cause: String?
    /// How long what ended with this event took.
    public let duration: Duration?
    public let details: [Detail]

    init(
        id: UInt64, time: Int64, kind: Kind, mount: MountID?, job: String?, owner: UInt32? = nil, cause: String?,
        duration: Duration?, details: [Detail]
    ) {
        self.id = id
        self.time = time
        self.kind = kind
        self.mount = mount
        self.owner = owner
        self.job = job.map(Self.bounded)
        self.cause = cause.map(Self.bounded)
        self.duration = duration
        self.details = details.prefix(Self.maximumDetails).map { Detail($0.name, Self.bounded($0.value)) }
    }

    private static func bounded(_ text: String) -> String {
        guard text.utf8.count > maximumText else { return text }
        return String(decoding: text.utf8.prefix(maximumText - 3), as: UTF8.self) + "…"
    }
}
