import LinuxSystem

/// Something of ours that no living mount or spare worker has.
enum StaleThing: Hashable, Sendable {
    /// A worker that serves nothing; with the path of its control socket.
    case worker(ProcessIdentity, socket: String)
    /// A control socket of a worker that is gone.
    case socket(String)
    /// An overlay on one of our uppers, by its id in the mount table.
    case mount(MountID, path: String, tableID: Int)
    case upper(MountID)
    /// A directory in the mount root.
    case mountpoint(MountID)
    case record(MountID)

    /// Things that lie on others come first.
    var order: Int {
        switch self {
        case .worker: 0
        case .socket: 1
        case .mount: 2
        case .mountpoint: 3
        case .upper: 4
        case .record: 5
        }
    }

    /// The mount it belongs to; nil for processes and sockets.
    var mount: MountID? {
        switch self {
        case .worker, .socket: nil
        case .mount(let id, _, _), .upper(let id), .mountpoint(let id), .record(let id): id
        }
    }

    /// The stable word for logs and events.
    var kind: String {
        switch self {
        case .worker: "worker"
        case .socket: "socket"
        case .mount: "mount"
        case .upper: "upper"
        case .mountpoint: "mountpoint"
        case .record: "record"
        }
    }

    var name: String {
        switch self {
        case .worker(let process, _): "\(process)"
        case .socket(let path): path
        case .mount(let id, let path, _): "\(id) at \(path)"
        case .upper(let id), .mountpoint(let id), .record(let id): id.rawValue
        }
    }
}

/// Decides what is stale, without any I/O. What is being made, or taken away, may be seen without an owner for a moment; so while the supervisor serves,
/// a thing must be found twice, one period apart.
struct SweepMachine: Sendable {
    /// When the supervisor started, in clock ticks after boot: workers that are not older are its own, which may be on the way to a mount that
    /// has just been adopted.
    let startedAt: UInt64
    private var suspects: Set<StaleThing> = []

    init(startedAt: UInt64) {
        self.startedAt = startedAt
    }

    /// What is to be taken away now, in order.
    mutating func handle(found: Set<StaleThing>, atStart: Bool) -> [StaleThing] {
        let stale = atStart ? found.filter { !isYoung($0) } : found.intersection(suspects)
        suspects = found.subtracting(stale)
        return stale.sorted { ($0.order, $0.name) < ($1.order, $1.name) }
    }

    private func isYoung(_ thing: StaleThing) -> Bool {
        if case .worker(let process, _) = thing { process.startTime >= startedAt } else { false }
    }
}
