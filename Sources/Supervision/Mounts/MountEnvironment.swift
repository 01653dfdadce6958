import LinuxSystem

/// What all mounts share: handed to each `MountActor` by the supervisor.
struct MountEnvironment: Sendable {
    let live: LiveConfiguration
    let log: any SupervisorLog
    let events: EventLog
    let metrics: Metrics
    let executor: SupervisionExecutor
    let cache: CacheOwner
    /// Nil where the kernel cannot mount sealed snapshots.
    let sealed: SealedLowers?
    let spares: SparePool
    let connections: SpareConnections
    let spawnGate: SpawnGate
    let heartbeat: Heartbeat
    let examiner: Examiner
    let tombstones: Tombstones
    let uppers: UpperStore
    let directories: MadeDirectories
    let records: RecordStore
    let store: DescriptorStore
    let holders: HolderFinder
    /// antares-worker, for what a process of its own has to do.
    let workerProgram: String
    let monitor: ExitMonitor
    /// Forgets a mount that ended without a client that asked.
    let ended: @Sendable (MountID) async -> Void
    /// Forgets a view that was succeeded and has ended.
    let viewEnded: @Sendable (MountID) async -> Void
    /// For making mounts. Unmounts have threads of their own, so that busy unmounts delay no mount.
    let mountThreads: BlockingThreads
    let unmountThreads: BlockingThreads
    /// For reading what jobs wrote, which takes as long as there is much of it.
    let changeThreads: BlockingThreads

    var configuration: SupervisorConfiguration { live.current }

    /// Time for everything between the request and `Ready`, apart from what the origin takes.
    static let provisioningTimeout: Duration = .seconds(15)
    /// From the answer that a mount is ready to the writing of what its record does not have to say by then.
    static let recordDelay: Duration = .milliseconds(10)
    /// Time for copying what a job wrote into the next view.
    static let carryTimeout: Duration = .seconds(120)
    /// How long a view that is to be succeeded may be busy with writing before it is said by whom.
    static let freezePatience: Duration = .seconds(1)
    /// Between two looks whether a retired view is still used.
    static let retiredLook: Duration = .seconds(1)
    /// Time for a worker to take over a connection. One that hangs is found sooner, by its threads.
    static let takeoverTimeout: Duration = .seconds(15)
    /// Time for a worker that ended to be seen so, when its control socket is closed.
    static let lastBreath: Duration = .milliseconds(20)
    /// Time for a sign of life of the worker's control thread; a later one counts as none and is asked for again.
    static let pingTimeout: Duration = .seconds(10)
    /// Time for a worker to end after SIGKILL, before it is left behind.
    static let killTimeout: Duration = .seconds(1)
    /// Time without a worker after which its requests are held.
    static let holdAfter: Duration = .milliseconds(20)
    /// Time for the kernel to let go of the superblocks after an unmount that left no other user of them.
    static let superblockTimeout: Duration = .milliseconds(200)
    /// Time for telling what a job wrote.
    static let changesTimeout: Duration = .seconds(100)
    /// Who may wait for that of one mount at the same time.
    static let changesLimit = 4
    /// Time for a worker to leave by itself when its connection has ended.
    static let workerExitTimeout: Duration = .milliseconds(500)
}
