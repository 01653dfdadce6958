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
    let origin: String?
    let labels: [String: String]?
    let createdAt: Int64
    let readyAfter: Double?
    let worker: Worker?

    private enum CodingKeys: String, CodingKey {
        case id = "mount_id"
        case job = "job_id"
        case build = "build_id"
        case path, mountpoint, state, commit, origin, labels
        case createdAt = "created_at_epoch_ms"
        case readyAfter = "ready_after_ms"
        case worker
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
    let status: String
    let mountCount: Int
    let uptime: Int
    let version: String
    let spareWorkers: Int
    let cachePID: Int32?
    let problems: [String]

    private enum CodingKeys: String, CodingKey {
        case status
        case mountCount = "mount_count"
        case uptime = "uptime_secs"
        case version
        case spareWorkers = "spare_workers"
        case cachePID = "cache_pid"
        case problems
    }
}
