import LinuxSystem
import WorkerProtocol

extension MountActor {
    /// The mount's worker as operators see it; nil while it has none. From memory, fusectl and /proc.
    func processStatus() async -> ProcessStatus? {
        guard let worker, !worker.hasEnded else { return nil }
        var holders = custody == nil ? [] : ["supervisor", "worker"]
        if await environment.cache.deposits[id] != nil { holders.append("cache") }
        if custody != nil, ServiceManager.isListening { holders.append("manager") }
        let serving = ProcessStatus.Serving(
            mount: mountID, job: request.jobKey, state: machine.state, lower: isSealed ? .sealed : .lazy,
            served: custody?.memory.value(.served) ?? 0, inFlight: custody?.memory.inFlight().count ?? 0,
            waiting: custody?.waiting,
            waitingFor: environment.heartbeat.waitingSince(id).map { Deadline.now.since($0) / .seconds(1) },
            holders: holders)
        return ProcessStatus(
            kind: .worker, pid: worker.pid, restarts: machine.restarts, lastRestartCause: machine.lastRestartCause,
            serving: serving)
    }
}
