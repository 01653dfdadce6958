import Glibc
import LinuxSystem
import WorkerProtocol

/// The worker of the mount: found, put to work, watched, replaced.
extension MountActor {
    /// A worker that waits for a connection, and its socket to the cache owner.
    struct Recruit: Sendable {
        let worker: WorkerProcess
        let cache: MessageSocket
    }

    func recruitWorker(onProbation: Bool = false) -> Task<Recruit, any Error> {
        Task {
            let spares = self.environment.spares
            // One that may crash at once is no reason to leave other mounts without a spare.
            let worker = onProbation ? try await spares.launch() : try await spares.take()
            do {
                return Recruit(
                    worker: worker, cache: try await self.environment.cache.attach(mount: self.id, origin: self.origin))
            } catch {
                worker.signal(SIGKILL)
                throw error
            }
        }
    }

    func startWorker() {
        guard let custody else { return handle(.workerFailed("there is no connection")) }
        let isReplacement = machine.restarts > 0
        let isOnProbation = machine.life.isOnProbation
        let first = recruit
        recruit = nil
        hungAtTakeover = nil
        Task {
            do {
                if isReplacement { await self.environment.spawnGate.pass(isOnProbation ? .probation : .takeover) }
                let recruit = try await (first ?? self.recruitWorker(onProbation: isOnProbation)).value
                guard self.machine.wantsWorker else {
                    // The mount was given up meanwhile.
                    return recruit.worker.signal(SIGKILL)
                }
                self.worker = recruit.worker
                self.servedBefore = custody.memory.value(.served)
                custody.memory.setJudged(self.machine.life.judged)
                // Before a later worker gets the connection: from then on it may be the only one who holds it.
                if self.overlay != nil { self.writeRecord() }
                self.letGo()
                // Meanwhile the stack can be begun. A view that is to take the place of another waits: from its exchange on it has to be served.
                if self.standing == .current { self.handle(.handingOver) }
                let watch = self.watchTakeover(of: recruit.worker)
                defer { watch.cancel() }
                try await recruit.worker.assume(
                    mount: self.id, custody: custody, cache: recruit.cache,
                    deadline: .after(MountEnvironment.takeoverTimeout))
                self.servingSince = .now
                self.noteServing(recruit.worker)
                self.handle(.workerServing)
                self.watch(recruit.worker)
                self.watchHealth()
            } catch {
                let worth = (error as? WorkerFailure)?.worth ?? .useless
                await self.workerRefused("\(error)", worth)
            }
        }
    }

    func workerRefused(_ reason: String, _ worth: WorkerEnd.Worth) async {
        log(.warning, "a worker could not take over", [("reason", reason)])
        var end: WorkerEnd?
        if let worker {
            // One that died of the first request it was sent may not have come to say that it serves.
            let byItself = await environment.unmountThreads.run {
                worker.process.waitForEnd(until: .after(MountEnvironment.lastBreath))
            }
            // It may hold the connection: it must be gone before the next one has the kernel send its requests again.
            worker.signal(SIGKILL)
            await endWorker()
            if byItself {
                let ended = takeEnd(await worker.ended())
                // A death says more than the broken conversation.
                if !ended.inFlight.isEmpty || ended.hung != nil || ended.blame == .outside { end = ended }
            }
        }
        if machine.wantsWorker { noteInterruption(.refused, cause: reason, at: .now) }
        custody?.memory.clearInFlight()
        handle(end.map { .workerEnded($0) } ?? .workerFailed(reason, worth))
        holdSoon()
    }

    func watch(_ worker: WorkerProcess) {
        let executor = environment.executor
        worker.onEnd { status in
            let seen = Deadline.now
            executor.run { self.assumeIsolated { $0.workerEnded(worker, status, at: seen) } }
        }
    }

    /// Kills the worker. One that the kernel does not let end is left behind: it runs no instruction of its own any more, so that another
    /// may have the connection.
    func killWorker() {
        guard let worker else { return }
        worker.signal(SIGKILL)
        Task {
            try? await Pause.sleep(for: MountEnvironment.killTimeout)
            guard self.worker === worker, !worker.hasEnded else { return }
            self.log(
                .error, "a worker does not end after SIGKILL; it is left behind and replaced",
                [("pid", "\(worker.pid)")])
            self.workerEnded(worker, .signal(SIGKILL), at: .now)
        }
    }

    func workerEnded(_ ended: WorkerProcess, _ status: ExitStatus, at seen: Deadline) {
        guard worker === ended else { return }
        worker = nil
        if machine.isServed {
            if case .ending(let cause) = machine.worker {
                noteInterruption(RestartReason(cause), cause: cause.description, at: hungSince ?? seen, ended)
            } else {
                noteInterruption(RestartReason(status), cause: status.description, at: seen, ended)
            }
        }
        hungSince = nil
        // A worker leaves by itself when its connection has ended, which is how an unmount looks from there.
        if custody?.isConnected == true {
            log(.warning, "worker ended", [("pid", "\(ended.pid)"), ("status", "\(status)")])
        }
        if machine.phase == .retired, custody?.isConnected != true { return handle(.released) }
        handle(.workerEnded(takeEnd(status)))
        holdSoon()
    }

    /// What is known of the work of a worker that has ended; its slots are cleared for the next one.
    private func takeEnd(_ status: ExitStatus) -> WorkerEnd {
        defer { servingSince = nil }
        guard let memory = custody?.memory else { return WorkerEnd(status: status) }
        defer { memory.clearInFlight() }
        return WorkerEnd(
            status: status, answered: memory.value(.served) > servedBefore, inFlight: Array(memory.inFlight().values),
            lived: servingSince.map { Deadline.now.since($0) } ?? .zero, hung: hungAtTakeover)
    }

    func noteRefusal(of requests: [InFlightRequest]) {
        for request in requests {
            let text = "request \(request.unique) opcode \(request.opcode) node \(request.node)"
            log(.error, "workers die of a request; it is answered EIO", [("request", text)])
            record(.requestRefused, cause: "workers died of it", details: [("request", text)])
        }
    }

    // MARK: Without a worker

    /// Has requests held while there is no worker, unless the next one comes at once.
    func holdSoon() {
        Task {
            try? await Pause.sleep(for: MountEnvironment.holdAfter)
            guard self.worker == nil, self.machine.worker != .quarantined, let custody = self.custody,
                custody.isConnected
            else { return }
            do throws(SystemError) {
                try self.environment.tombstones.add(self.id, custody, .holding)
            } catch {
                self.log(.warning, "jobs that are killed have to wait for the next worker", [("error", "\(error)")])
            }
        }
    }

    /// A worker is about to read the requests.
    func letGo() {
        environment.tombstones.remove(id)
    }

    func entomb() {
        guard let custody else { return }
        environment.heartbeat.forget(id)
        custody.memory.isQuarantined = true
        do {
            try environment.tombstones.add(id, custody, .refusing)
        } catch {
            log(.error, "cannot answer for a mount that was given up; it is aborted", [("error", error.description)])
            abortConnection()
        }
    }

    func exhume() {
        letGo()
        custody?.memory.isQuarantined = false
    }

    func reconnectCache() {
        guard let worker else { return }
        Task {
            do {
                let cache = try await self.environment.cache.attach(mount: self.id, origin: self.origin)
                try await worker.reconnectCache(cache, deadline: .after(MountEnvironment.takeoverTimeout))
            } catch {
                self.log(.warning, "cannot reconnect the worker to the cache", [("error", "\(error)")])
            }
        }
    }

    /// Gives the worker time to leave by itself, then ends it, and returns when it has ended.
    func endWorker() async {
        guard let worker else { return }
        await environment.unmountThreads.run {
            if worker.process.waitForEnd(until: .after(MountEnvironment.workerExitTimeout)) { return }
            worker.signal(SIGKILL)
            _ = worker.process.waitForEnd(until: .after(MountEnvironment.workerExitTimeout))
        }
        self.worker = nil
    }
}
