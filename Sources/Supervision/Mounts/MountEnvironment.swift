import LinuxSystem

/// What all mounts share: handed to each `MountActor` by the supervisor.
struct MountEnvironment: Sendable {
    let configuration: SupervisorConfiguration
    let log: any SupervisorLog
    let executor: SupervisionExecutor
    let cache: CacheOwner
    let spares: SparePool
    let uppers: UpperStore
    let records: RecordStore
    /// For making mounts. Unmounts have threads of their own, so that busy unmounts delay no mount.
    let mountThreads: BlockingThreads
    let unmountThreads: BlockingThreads

    /// Time for everything between the request and `Ready`, apart from what the origin takes.
    static let provisioningTimeout: Duration = .seconds(15)
    /// Time for a worker to take over a connection.
    static let takeoverTimeout: Duration = .seconds(5)
    /// Time for the kernel to let go of the superblocks after an unmount that left no other user of them.
    static let superblockTimeout: Duration = .milliseconds(200)
    /// Time for a worker to leave by itself when its connection has ended.
    static let workerExitTimeout: Duration = .milliseconds(500)
}
