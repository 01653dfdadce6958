/// The body of `GET /status`.
struct StatusReport: Decodable, Hashable {
    struct Process: Decodable, Hashable {
        let kind: String
        let pid: Int32
        let restarts: Int
        let lastRestartCause: String?
        let startedAt: Int64?
        let memoryBytes: UInt64?
        let cpuTime: UInt64?
        let descriptors: Int?
        let mount: String?
        let job: String?
        let state: StateReport?
        let lower: String?
        let served: UInt64?
        let inFlight: Int?
        let waiting: Int?
        let waitingFor: Double?
        let oldest: Double?
        let holders: [String]?

        private enum CodingKeys: String, CodingKey {
            case kind, pid, restarts, state, lower, served, waiting, holders
            case lastRestartCause = "last_restart_cause"
            case startedAt = "started_at_epoch_ms"
            case memoryBytes = "memory_bytes"
            case cpuTime = "cpu_ms"
            case descriptors = "fds"
            case mount = "mount_id"
            case job = "job_id"
            case inFlight = "in_flight"
            case waitingFor = "waiting_for_s"
            case oldest = "oldest_in_flight_s"
        }
    }

    let hardening: Bool
    let processes: [Process]
}
