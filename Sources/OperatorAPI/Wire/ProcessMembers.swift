import Supervision

/// The members of a process of ours. It is shown in several places, with more or fewer of them.
enum ProcessKey: String, CodingKey {
    case kind, pid, restarts, state, lower, served, waiting, holders
    case startedAt = "started_at_epoch_ms"
    case lastRestartCause = "last_restart_cause"
    case memoryBytes = "memory_bytes"
    case cpuTime = "cpu_ms"
    case descriptors = "fds"
    case mountID = "mount_id"
    case jobID = "job_id"
    case inFlight = "in_flight"
    case waitingFor = "waiting_for_s"
    case oldest = "oldest_in_flight_s"
}

/// What is said of every process, wherever it is shown.
protocol ShownProcess {
    var pid: Int32 { get }
    var restarts: Int { get }
    var lastRestartCause: String? { get }
    var memoryBytes: UInt64? { get }
}

/// What is said of every worker of a mount.
protocol ShownServing {
    var served: UInt64 { get }
    var waiting: Int? { get }
}

extension ProcessStatus: ShownProcess {}
extension ServiceProcess: ShownProcess {}
extension MountStatus.Worker: ShownProcess, ShownServing {}
extension ProcessStatus.Serving: ShownServing {}

extension KeyedEncodingContainer<ProcessKey> {
    mutating func encode(_ process: some ShownProcess) throws {
        try encode(process.pid, forKey: .pid)
        try encode(process.restarts, forKey: .restarts)
        try encode(process.lastRestartCause, forKey: .lastRestartCause)
        try encode(process.memoryBytes, forKey: .memoryBytes)
    }

    /// Null of what serves no mount.
    mutating func encode(serving: (some ShownServing)?) throws {
        try encode(serving?.waiting, forKey: .waiting)
        try encode(serving?.served, forKey: .served)
    }
}
