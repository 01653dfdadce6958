/// What the supervisor can ask of a worker. The numbers are part of the protocol.
public enum WorkerOperation: UInt16, Sendable, CaseIterable {
    /// Take over a FUSE connection and serve it. Descriptors: /dev/fuse, session memfd, cache socket.
    case assume = 1
    /// Use another cache socket from now on and ask pending questions again. Descriptor: cache socket.
    case reconnectCache = 2
    /// Counters. Answered by the control thread, so it shows that the worker lives and whether its readers move.
    case status = 3
    /// End without serving on; the connection stays for the next worker.
    case stop = 4
}

/// The versions of the supervisor–worker protocol that this build speaks.
public enum WorkerProtocolVersion {
    public static let current: UInt16 = 1
}
