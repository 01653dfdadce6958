/// A mount as the API describes it.
struct MountReport: Decodable, Hashable {
    struct Worker: Decodable, Hashable {
        let pid: Int32
        let restarts: Int
        let lastRestartCause: String?
        let memoryBytes: UInt64?
        let waiting: Int?
        let served: UInt64

        private enum CodingKeys: String, CodingKey {
            case pid, restarts
            case lastRestartCause = "last_restart_cause"
            case memoryBytes = "memory_bytes"
            case waiting, served
        }
    }

    let id: String
    let job: String?
    let build: String?
    let path: String
    let mountpoint: String
    let state: StateReport
    let commit: String?
    let changelist: String?
    let changelistPath: String?
    let base: String?
    let origin: String?
    let labels: [String: String]?
    let revision: String?
    let createdAt: Int64
    let readyAfter: Double?
    let leaseLeft: Double?
    let idleTTL: Int?
    let worker: Worker?
    let lower: String?
    let unmount: UnmountReport?
    let exchange: SwitchReport?

    private enum CodingKeys: String, CodingKey {
        case id = "mount_id"
        case job = "job_id"
        case build = "build_id"
        case path, mountpoint, state, commit, origin, labels, base
        case changelist = "cl"
        case changelistPath = "cl_path"
        case revision = "rev"
        case leaseLeft = "lease_left_s"
        case idleTTL = "idle_ttl"
        case createdAt = "created_at_epoch_ms"
        case readyAfter = "ready_after_ms"
        case worker, lower, unmount
        case exchange = "switch"
    }
}

/// `"Ready"`, or `{"Failed":{"reason":"…"}}`.
struct StateReport: Decodable, Hashable {
    let name: String
    let reason: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let name = try? container.decode(String.self) {
            self.name = name
            reason = nil
            return
        }
        let failed = try container.decode([String: [String: String]].self)
        name = failed.first?.key ?? "Unknown"
        reason = failed.first?.value["reason"]
    }
}

/// The body of `GET /mounts`.
struct MountList: Decodable {
    let mounts: [MountReport]
}

/// The body of `GET /health`.
struct HealthReport: Decodable, Hashable {
    struct Process: Decodable, Hashable {
        let kind: String
        let pid: Int32
        let restarts: Int
        let memoryBytes: UInt64?
        let lastRestartCause: String?

        private enum CodingKeys: String, CodingKey {
            case kind, pid, restarts
            case memoryBytes = "memory_bytes"
            case lastRestartCause = "last_restart_cause"
        }
    }

    let status: String
    let mountCount: Int
    let uptime: Int
    let version: String
    let spareWorkers: Int
    let cachePID: Int32?
    let problems: [String]
    let processes: [Process]?

    private enum CodingKeys: String, CodingKey {
        case status
        case mountCount = "mount_count"
        case uptime = "uptime_secs"
        case version
        case spareWorkers = "spare_workers"
        case cachePID = "cache_pid"
        case problems, processes
    }
}

/// How an unmount went.
struct UnmountReport: Decodable, Hashable {
    struct Holder: Decodable, Hashable {
        let pid: Int32
        let comm: String
        let what: String
        let path: String
    }

    let rung: String
    let duration: Double?
    let holders: [Holder]
    let killed: [Int32]
    let pinnedElsewhere: Bool
    let keptUpper: String?

    private enum CodingKeys: String, CodingKey {
        case rung, holders, killed
        case duration = "duration_ms"
        case pinnedElsewhere = "pinned_elsewhere"
        case keptUpper = "kept_upper"
    }
}
