import Supervision

/// The body of `GET /mounts`.
struct MountListBody: Encodable {
    let mounts: [MountStatusBody]

    /// Oldest first, so that two answers can be compared.
    init(_ mounts: [MountStatus]) {
        self.mounts = mounts.sorted { ($0.createdAt, $0.id.rawValue) < ($1.createdAt, $1.id.rawValue) }
            .map(MountStatusBody.init)
    }
}

/// The body of `GET /mounts/{id}/ready`.
struct ReadyBody: Encodable {
    let mountID: String
    let ready: Bool
    let state: MountStateBody

    private enum CodingKeys: String, CodingKey {
        case mountID = "mount_id"
        case ready, state
    }

    init(_ status: MountStatus) {
        mountID = status.id.rawValue
        ready = status.state == .ready
        state = MountStateBody(status.state)
    }
}

/// The body of `GET /health`.
struct HealthBody: Encodable {
    let health: ServiceHealth
    let version: String
    /// What it is called when all is well: the published API has `ok` at `/health` and `healthy` at `/antares/health`.
    var good = "healthy"

    private enum Key: String, CodingKey {
        case status
        case mountCount = "mount_count"
        case uptime = "uptime_secs"
        case version
        case spareWorkers = "spare_workers"
        case cachePID = "cache_pid"
        case problems, processes
    }

    private struct Process: Encodable {
        let process: ServiceProcess

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: ProcessKey.self)
            try container.encode(process.kind.rawValue, forKey: .kind)
            try container.encode(process)
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(health.problems.isEmpty ? good : "degraded", forKey: .status)
        try container.encode(health.mountCount, forKey: .mountCount)
        try container.encode(health.uptimeSeconds, forKey: .uptime)
        try container.encode(version, forKey: .version)
        try container.encode(health.spareWorkers, forKey: .spareWorkers)
        try container.encode(health.cachePID, forKey: .cachePID)
        try container.encode(health.problems, forKey: .problems)
        try container.encode(health.processes.map(Process.init), forKey: .processes)
    }
}

/// The body of every error.
struct ErrorBody: Encodable {
    let error: String
    let code: String
}
