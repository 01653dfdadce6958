import LinuxSystem

/// How long a mount may live, as its client asked.
public struct Lease: Codable, Hashable, Sendable {
    /// Seconds until it is unmounted unless it is renewed.
    public var timeToLive: Int?
    /// Seconds without use until it is unmounted. Use is what can be seen from outside: a request of the kernel that a worker answered, or a process that has
    /// something of the mount open, mapped, or as its directory when the time is over. It is looked at once in this time, so an unused mount goes after one to
    /// two of them.
    public var idleTime: Int?
    /// The mount ends with the process that asked for it.
    public var isBoundToClient: Bool

    public init(timeToLive: Int? = nil, idleTime: Int? = nil, isBoundToClient: Bool = false) {
        self.timeToLive = timeToLive
        self.idleTime = idleTime
        self.isBoundToClient = isBoundToClient
    }

    /// The longest time that can be asked for: a year.
    public static let maximum = 366 * 86400
}

/// When a lease ends, without any I/O or clock.
struct LeaseMachine: Hashable, Sendable {
    enum Action: Hashable, Sendable {
        /// Nothing to do before this moment; nil: nothing at all.
        case wait(until: Deadline?)
        /// Nothing was asked of the mount: does somebody hold it?
        case lookForHolders
        case end(cause: String)
    }

    let lease: Lease
    private(set) var expiresAt: Deadline?
    private var idleAt: Deadline?
    private var served: UInt64

    /// - Parameter expiresAt: for a mount of an earlier supervisor, the end that it knew.
    init(_ lease: Lease, now: Deadline, served: UInt64, expiresAt: Deadline? = nil) {
        self.lease = lease
        self.served = served
        self.expiresAt = expiresAt ?? lease.timeToLive.map { now.advanced(by: .seconds($0)) }
        idleAt = lease.idleTime.map { now.advanced(by: .seconds($0)) }
    }

    /// The next moment at which something has to be done.
    var next: Deadline? {
        [expiresAt, idleAt].compactMap { $0 }.min()
    }

    /// Begins the time to live, and that without use, anew. `timeToLive` replaces the seconds asked for at first, for this time.
    mutating func renew(now: Deadline, timeToLive: Int? = nil) {
        expiresAt = (timeToLive ?? lease.timeToLive).map { now.advanced(by: .seconds($0)) }
        touch(now)
    }

    /// - Parameter served: requests of the kernel that were answered so far.
    mutating func due(now: Deadline, served: UInt64) -> Action {
        if let expiresAt, expiresAt <= now { return .end(cause: "its time to live is over") }
        guard let idleAt, idleAt <= now else { return .wait(until: next) }
        if served != self.served {
            self.served = served
            touch(now)
            return .wait(until: next)
        }
        return .lookForHolders
    }

    mutating func holdersFound(_ any: Bool, now: Deadline) -> Action {
        guard any else { return .end(cause: "nobody has used it for \(lease.idleTime ?? 0) s") }
        touch(now)
        return .wait(until: next)
    }

    private mutating func touch(_ now: Deadline) {
        idleAt = lease.idleTime.map { now.advanced(by: .seconds($0)) }
    }
}
