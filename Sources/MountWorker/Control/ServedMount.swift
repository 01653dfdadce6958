import LinuxSystem
import WorkerProtocol

/// The mount that a worker has taken over.
struct ServedMount {
    let session: MountSession
    let connector: FuseConnector
    let log: FailureLog

    /// Takes over: everything that can fail is done before the first request is read.
    init(
        _ mount: String, fuse: consuming OwnedFD, memory: consuming OwnedFD, cache: consuming OwnedFD, readers: Readers,
        wake: EventCounter, faults: Faults, lines: LineSink, onEnd: @escaping @Sendable (FuseConnector.End) -> Void
    ) throws(SystemError) {
        let memory = try SessionMemory(received: memory)
        log = FailureLog(mount: mount, lines: lines, memory: memory)
        let connection = CacheConnection(wake: wake)
        session = try MountSession(
            memory, replies: readers.replies, cache: connection, wake: wake, log: log, faults: faults)
        connector = try FuseConnector(fuse, mount: session, readers: readers, onEnd: onEnd)
        try connection.use(MessageSocket(cache))
        try connector.start()
    }

    /// Uses another cache owner.
    func reconnect(_ cache: consuming OwnedFD) throws(SystemError) {
        let session = session
        try session.cache.use(MessageSocket(cache)) { session.openQuestions }
    }
}
