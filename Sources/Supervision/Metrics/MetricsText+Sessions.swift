import WorkerProtocol

extension MetricsText {
    /// What workers do for the kernel.
    mutating func sessions(_ totals: SessionLedger.Totals) {
        let name = "antares_fuse_request_duration_seconds"
        family(name, "From a request's arrival at a worker to its answer, whichever worker gave it.", .histogram)
        let bounds = SessionStatistics.bounds.map { Double($0) / 1e9 }
        for kind in RequestKind.allCases {
            let times = totals.counts[kind]
            histogram(
                name, [("operation", kind.label)], bounds: bounds, buckets: times.buckets, sum: Double(times.sum) / 1e9)
        }
        family(
            "antares_fuse_failures_total",
            "Requests of the kernel that were answered EIO, ETIMEDOUT, ESTALE or ENOSPC, by cause.", .counter)
        for cause in FailureCause.allCases {
            sample("antares_fuse_failures_total", [("cause", cause.label)], Double(totals.counts[cause]))
        }
        counter(
            "antares_requests_resent_total", "Requests that the kernel sent again to a later worker.",
            Double(totals.resent))
        counter(
            "antares_ahead_brought_total",
            "Files and directories that workers of lazy mounts had before a job asked for them.",
            Double(totals.broughtAhead))
        counter(
            "antares_ahead_used_total", "Those of them that a job then asked for; the rest was fetched for nothing.",
            Double(totals.usedAhead))
    }
}

extension RequestKind {
    /// As the kernel calls it.
    var label: String {
        switch self {
        case .lookup: "lookup"
        case .attributes: "getattr"
        case .readLink: "readlink"
        case .read: "read"
        case .list: "readdir"
        case .listWithAttributes: "readdirplus"
        case .statistics: "statfs"
        case .other: "other"
        }
    }
}

extension FailureCause {
    var label: String {
        switch self {
        case .deadline: "deadline"
        case .origin: "origin"
        case .missing: "missing"
        case .damaged: "damaged"
        case .refused: "refused"
        case .storage: "storage"
        case .noSpace: "no_space"
        case .overloaded: "overloaded"
        case .protocolError: "protocol"
        case .memory: "memory"
        case .table: "table"
        case .stale: "stale"
        case .poison: "poison"
        case .dropped: "dropped"
        case .quarantined: "quarantined"
        case .internalFailure: "internal"
        }
    }
}
