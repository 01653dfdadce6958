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
    /// Which versions it speaks; asked before it is given anything.
    case greet = 16
}

/// The versions of the supervisor–worker protocol that this build speaks.
public enum WorkerProtocolVersion {
    public static let oldest: UInt16 = 1
    public static let newest: UInt16 = 1
}

/// What a process can talk and serve.
public struct WorkerVersions: Hashable, Sendable, CustomStringConvertible {
    /// Of the supervisor–worker protocol.
    public var control: ClosedRange<UInt16>
    /// Layouts of the session memory.
    public var session: ClosedRange<UInt32>

    public init(control: ClosedRange<UInt16>, session: ClosedRange<UInt32>) {
        self.control = control
        self.session = session
    }

    /// Those of this build.
    public static let own = WorkerVersions(
        control: WorkerProtocolVersion.oldest...WorkerProtocolVersion.newest,
        session: SessionMemory.currentLayout...SessionMemory.currentLayout)

    /// The newest version of the protocol that both speak, or nil.
    public func agreed(with other: WorkerVersions) -> UInt16? {
        control.overlaps(other.control) ? min(control.upperBound, other.control.upperBound) : nil
    }

    public var description: String {
        "protocol \(control.lowerBound) to \(control.upperBound), "
            + "session layout \(session.lowerBound) to \(session.upperBound)"
    }
}
