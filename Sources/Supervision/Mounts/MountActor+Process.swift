import LinuxSystem
import WorkerProtocol

extension MountActor {
    /// The mount's worker as operators see it; nil while it has none. From memory, fusectl and /proc. `deposits` are the mounts of which the cache
    /// owner has the descriptors.
    func processStatus(deposits: Set<MountID>) -> ProcessStatus? {
        guard let worker, !worker.hasEnded else { return nil }
        var holders = custody == nil ? [] : ["supervisor", "worker"]
        if deposits.contains(id) { holders.append("cache") }
        if custody != nil, ServiceManager.isListening { holders.append("manager") }
        let waiting = custody?.waiting
        let serving = ProcessStatus.Serving(
            mount: mountID, job: request.jobKey, state: machine.state, lower: isSealed ? .sealed : .lazy,
            served: custody?.memory.value(.served) ?? 0, inFlight: custody?.memory.unansweredCount ?? 0,
            waiting: waiting, waitingFor: waitingTime, oldest: oldestRequest(ofWaiting: waiting), holders: holders)
        return ProcessStatus(
            kind: .worker, pid: worker.pid, restarts: machine.restarts, lastRestartCause: machine.lastRestartCause,
            serving: serving)
    }

    /// Seconds since there was a moment in which no request waited.
    var waitingTime: Double? {
        environment.heartbeat.waitingSince(id).map { Deadline.now.since($0) / .seconds(1) }
    }

    /// Seconds since the request came that has waited for longest; nil if none waits. From the session memory, so that a worker that hangs hides
    /// nothing; what nobody has read is known from the looks at the connection.
    func oldestRequest(ofWaiting count: Int?) -> Double? {
        guard let count, count > 0, let custody else { return nil }
        let memory = custody.memory
        var starts = [memory.oldestRequest.map { Deadline(nanoseconds: $0) }]
        if custody.hasUnread {
            starts.append(environment.heartbeat.unreadSince(id, turns: memory.value(.readerTurns)))
        }
        // What came while there is no worker is in nobody's books.
        if worker == nil { starts.append(environment.heartbeat.waitingSince(id)) }
        return starts.compactMap { $0 }.min().map { Deadline.now.since($0) / .seconds(1) } ?? 0
    }
}
