import Glibc
import LinuxSystem
import WorkerProtocol

/// Whether the worker goes on, and what is done if it does not.
extension MountActor {
    /// Records of workers that were killed, which are kept.
    static let keptIncidents = 4

    func watchHealth() {
        guard let custody else { return }
        judge = HangJudge()
        custody.memory.slowLimit = environment.configuration.slowOperation.nanoseconds
        // What there was before belongs to an earlier supervisor.
        if slowRequests == nil { slowRequests = custody.memory.value(.slow) }
        let executor = environment.executor
        environment.heartbeat.watch(id, custody) { [weak self] sample in
            guard let self else { return }
            executor.run { self.assumeIsolated { $0.heartbeat(sample) } }
        }
    }

    private func heartbeat(_ sample: HangSample) {
        noteSlowRequests(sample.slow)
        guard machine.worker == .serving, let worker else { return }
        let demand = judge.note(sample)
        if demand.contains(.ping) { ping(worker) }
        if demand.contains(.threads) {
            examine(worker)
        } else {
            slowness = nil
        }
    }

    /// Tells of slow requests that nobody was told of; `count` is all that there were. A request that is slow waits over several looks, so that a limit which is
    /// another one after a reload is known before it is answered.
    func noteSlowRequests(_ count: UInt64) {
        let limit = environment.configuration.slowOperation
        if let memory = custody?.memory, memory.slowLimit != limit.nanoseconds { memory.slowLimit = limit.nanoseconds }
        guard let known = slowRequests, count > known else { return }
        slowRequests = count
        environment.metrics.slowOperations.add(.request, count - known)
        log(.warning, "slow requests", [("count", "\(count - known)"), ("limit", "\(limit)")])
    }

    private func ping(_ worker: WorkerProcess) {
        Task {
            do throws(WorkerFailure) {
                _ = try await worker.status(deadline: .after(MountEnvironment.pingTimeout))
                if self.worker === worker { self.judge.pingAnswered() }
            } catch {
                if self.worker === worker { self.judge.pingLost() }
            }
        }
    }

    private func examine(_ worker: WorkerProcess) {
        guard !isExamining else { return }
        isExamining = true
        Task {
            let threads = await self.environment.examiner.threads(of: worker.pid)
            self.isExamining = false
            guard self.worker === worker, self.machine.worker == .serving else { return }
            switch self.judge.judge(threads) {
            case .undecided:
                break
            case .slow(let reason):
                if self.slowness != reason {
                    self.slowness = reason
                    self.log(.notice, "the worker is slow", [("pid", "\(worker.pid)"), ("reason", reason)])
                }
            case .hung(let evidence):
                await self.replaceHung(worker, evidence)
            }
        }
    }

    private func replaceHung(_ worker: WorkerProcess, _ evidence: HangEvidence) async {
        let seen = Deadline.now
        isExamining = true
        let report = await environment.examiner.report(on: worker.pid) ?? ["its state could not be read in time"]
        isExamining = false
        guard self.worker === worker, machine.worker == .serving else { return }
        keep(report, of: worker, evidence)
        hungSince = seen
        handle(.replaceWorker(.hung(evidence)))
    }

    /// Keeps what was seen of a worker that is about to be killed.
    private func keep(_ report: [String], of worker: WorkerProcess, _ evidence: HangEvidence) {
        let memory = custody?.memory
        let flying = (memory?.inFlight() ?? [:]).sorted { $0.key < $1.key }.map { slot, request in
            "slot \(slot): request \(request.unique) opcode \(request.opcode) node \(request.node)"
        }
        let counters =
            "waiting \(custody?.waiting ?? 0) turns \(memory?.value(.readerTurns) ?? 0) served \(memory?.value(.served) ?? 0)"
        let lines = [counters] + flying.prefix(8) + report
        incidents.append(
            MountStatus.Incident(
                time: WallClock.milliseconds, pid: worker.pid, cause: "\(ReplacementCause.hung(evidence))",
                report: lines))
        incidents.removeFirst(max(0, incidents.count - Self.keptIncidents))
        record(
            .workerHung, cause: evidence.description,
            details: [("pid", "\(worker.pid)"), ("counters", counters)]
                + flying.prefix(2).map { ("in_flight", $0) }
                + report.filter { $0.hasPrefix("thread") }.prefix(4).map { ("thread", $0) })
        log(.error, "the worker hangs and is replaced", [("pid", "\(worker.pid)"), ("evidence", evidence.description)])
        for line in lines { log(.info, "hung worker", [("pid", "\(worker.pid)"), ("line", line)]) }
    }

    /// Ends a worker that does not take the connection over, by the same evidence as one that does not serve. The taking over then fails.
    func watchTakeover(of worker: WorkerProcess) -> Task<Void, Never> {
        Task {
            var judge = HangJudge()
            let sample = HangSample(waiting: 1, isUnread: false, readerTurns: 0, inFlight: [:])
            // The request to take over is what is not answered.
            _ = judge.note(sample)
            _ = judge.note(sample)
            while (try? await Pause.sleep(for: Heartbeat.interval)) != nil {
                guard judge.note(sample).contains(.threads) else { continue }
                let threads = await self.environment.examiner.threads(of: worker.pid)
                if Task.isCancelled { return }
                if case .hung(let evidence) = judge.judge(threads) {
                    let report = await self.environment.examiner.report(on: worker.pid) ?? []
                    if Task.isCancelled { return }
                    let seen = evidence == .silent ? .notTakingOver : evidence
                    self.keep(report, of: worker, seen)
                    if self.worker === worker { self.hungAtTakeover = seen }
                    return worker.signal(SIGKILL)
                }
            }
        }
    }
}
