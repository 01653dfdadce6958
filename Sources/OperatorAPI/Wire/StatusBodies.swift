import Supervision

/// The body of `GET /status`.
struct StatusBody: Encodable {
    let health: HealthBody
    let mountsByState: [String: Int]
    let hardening: Bool
    let processes: [ProcessBody]

    private enum CodingKeys: String, CodingKey {
        case health, hardening, processes
        case mountsByState = "mounts_by_state"
    }

    init(_ status: ServiceStatus, version: String) {
        health = HealthBody(health: status.health, version: version)
        mountsByState = status.mountsByState
        hardening = status.isHardened
        processes = status.processes.map(ProcessBody.init)
    }
}

/// The body of `GET /workers`: workers and spares, and what they work for.
struct WorkersBody: Encodable {
    let workers: [ProcessBody]
    /// Supervisor and cache owner.
    let service: [ProcessBody]

    init(_ processes: [ProcessStatus]) {
        func isWorker(_ process: ProcessStatus) -> Bool { process.kind == .worker || process.kind == .spare }
        workers = processes.filter(isWorker).map(ProcessBody.init)
        service = processes.filter { !isWorker($0) }.map(ProcessBody.init)
    }
}

/// A process; what does not apply to its kind is null.
struct ProcessBody: Encodable {
    let process: ProcessStatus

    init(_ process: ProcessStatus) {
        self.process = process
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: ProcessKey.self)
        try container.encode(process.kind.rawValue, forKey: .kind)
        try container.encode(process)
        try container.encode(process.startedAt, forKey: .startedAt)
        try container.encode(process.cpuTime, forKey: .cpuTime)
        try container.encode(process.descriptors, forKey: .descriptors)
        let serving = process.serving
        try container.encode(serving: serving)
        try container.encode(serving?.mount.rawValue, forKey: .mountID)
        try container.encode(serving?.job, forKey: .jobID)
        try container.encode(serving.map { MountStateBody($0.state) }, forKey: .state)
        try container.encode(serving?.lower.rawValue, forKey: .lower)
        try container.encode(serving?.inFlight, forKey: .inFlight)
        try container.encode(serving?.oldest, forKey: .oldest)
        try container.encode(serving?.waitingFor, forKey: .waitingFor)
        try container.encode(serving?.holders, forKey: .holders)
    }
}
