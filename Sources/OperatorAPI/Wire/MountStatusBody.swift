import Supervision

/// A mount as the API shows it: the published fields, then ours. Absent values are null, as published.
struct MountStatusBody: Encodable {
    let status: MountStatus

    init(_ status: MountStatus) {
        self.status = status
    }

    private enum Key: String, CodingKey {
        case mountID = "mount_id"
        case jobID = "job_id"
        case path, cl, mountpoint, layers, state
        case changelistPath = "cl_path"
        case changelistFiles = "cl_files"
        case changelistTree = "cl_tree"
        case base
        case createdAt = "created_at_epoch_ms"
        case lastSeen = "last_seen_epoch_ms"
        case buildID = "build_id"
        case commit, origin, rev, uid, gid, labels
        case readyAfter = "ready_after_ms"
        case worker, lower, incidents
        case unmount
        case exchange = "switch"
        case upperPolicy = "upper_policy"
        case ttl
        case idleTTL = "idle_ttl"
        case isBoundToClient = "bind_to_client"
        case leaseLeft = "lease_left_s"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        let request = status.request
        try container.encode(status.id.rawValue, forKey: .mountID)
        try container.encode(request.jobID, forKey: .jobID)
        try container.encode(request.path, forKey: .path)
        try container.encode(request.changelist?.name, forKey: .cl)
        try container.encode(status.mountpoint, forKey: .mountpoint)
        try container.encode(Layers(upper: status.upper), forKey: .layers)
        try container.encode(MountStateBody(status.state), forKey: .state)
        try container.encode(status.createdAt, forKey: .createdAt)
        try container.encode(status.lastSeen, forKey: .lastSeen)
        try container.encode(request.buildID, forKey: .buildID)
        try container.encode(status.commit, forKey: .commit)
        try container.encode(status.origin, forKey: .origin)
        try container.encode(request.revision, forKey: .rev)
        try container.encode(request.uid, forKey: .uid)
        try container.encode(request.gid, forKey: .gid)
        try container.encode(request.labels, forKey: .labels)
        try container.encode(status.readyAfter, forKey: .readyAfter)
        try container.encode(status.worker.map(Worker.init), forKey: .worker)
        try container.encode(status.lower.rawValue, forKey: .lower)
        try container.encode(status.incidents.map(Incident.init), forKey: .incidents)
        try container.encode(request.upperPolicy?.rawValue, forKey: .upperPolicy)
        if let lease = request.lease {
            try container.encode(lease.timeToLive, forKey: .ttl)
            try container.encode(lease.idleTime, forKey: .idleTTL)
            try container.encode(lease.isBoundToClient, forKey: .isBoundToClient)
            try container.encode(status.leaseLeft, forKey: .leaseLeft)
        }
        if let changelist = request.changelist {
            let applied = status.changelist
            try container.encode(applied?.path ?? changelist.path, forKey: .changelistPath)
            try container.encode(applied?.files, forKey: .changelistFiles)
            try container.encode(applied?.tree, forKey: .changelistTree)
            let base = changelist.base == .own ? "cl" : request.revision == nil ? "head" : "rev"
            try container.encode(base, forKey: .base)
        }
        try container.encode(status.unmount.map(UnmountReportBody.init), forKey: .unmount)
        try container.encode(status.exchange.map(SwitchReportBody.init), forKey: .exchange)
    }

    private struct Layers: Encodable {
        let upper: String

        private enum Key: String, CodingKey {
            case upper, cl, dicfuse
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(upper, forKey: .upper)
            try container.encodeNil(forKey: .cl)
            try container.encode("shared", forKey: .dicfuse)
        }
    }

    /// A worker that hung, as it was seen before it was killed.
    private struct Incident: Encodable {
        let incident: MountStatus.Incident

        init(_ incident: MountStatus.Incident) {
            self.incident = incident
        }

        private enum Key: String, CodingKey {
            case time = "time_epoch_ms"
            case pid, cause, report
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(incident.time, forKey: .time)
            try container.encode(incident.pid, forKey: .pid)
            try container.encode(incident.cause, forKey: .cause)
            try container.encode(incident.report, forKey: .report)
        }
    }

    private struct Worker: Encodable {
        let worker: MountStatus.Worker

        init(_ worker: MountStatus.Worker) {
            self.worker = worker
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: ProcessKey.self)
            try container.encode(worker)
            try container.encode(serving: worker)
        }
    }
}

/// `"Ready"`, or `{"Failed":{"reason":"…"}}`.
struct MountStateBody: Encodable {
    let state: MountState

    init(_ state: MountState) {
        self.state = state
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let reason = state.reason {
            try container.encode([state.name: ["reason": reason]])
        } else {
            try container.encode(state.name)
        }
    }
}
