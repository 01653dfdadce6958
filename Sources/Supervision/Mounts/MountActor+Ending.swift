import Glibc
import LinuxSystem
import Probes
import WorkerProtocol

/// What the actor knows of the end of its mount.
struct UnmountProgress: Sendable {
    let startedAt = Deadline.now
    let budget: UnmountBudget
    /// When the plain unmount is given up.
    var plainDeadline: Deadline
    var report = UnmountReport()
    /// What its holders are found by; read while the mount was attached.
    var target: HolderScan.Target?
    /// Who asked.
    var caller: UInt32

    init(limit: Duration, caller: UInt32) {
        budget = UnmountBudget(limit: limit)
        plainDeadline = startedAt.advanced(by: budget.plain)
        self.caller = caller
    }
}

/// How the mount ends: the rungs of the unmount ladder, then the clearing away.
extension MountActor {
    func unmount(_ rung: MountMachine.Rung) {
        guard let overlay, let custody else { return handle(.unmountFailed(Self.defect("nothing is attached"))) }
        var progress = progress ?? beginProgress()
        progress.report.rung = rung
        if progress.target == nil, let facts = try? overlay.facts() {
            progress.target = HolderScan.Target(device: facts.device, tableID: facts.tableID)
        }
        self.progress = progress
        Task {
            do throws(SystemError) {
                switch rung {
                case .plain:
                    let done = try await self.unmountPlainly(overlay)
                    self.handle(done ? .unmounted : .stillBusy)
                case .forced:
                    let stack = self.stack
                    try await self.environment.unmountThreads.run { () throws(SystemError) in
                        try stack.unmountByForce(overlay, custody)
                    }
                    self.handle(.unmounted)
                }
            } catch {
                self.unmountFailed(error)
            }
        }
    }

    func beginProgress(caller: UInt32 = 0) -> UnmountProgress {
        UnmountProgress(limit: environment.configuration.unmountTimeout, caller: caller)
    }

    /// Between two attempts nothing is held, no thread either: hundreds of busy mounts wait side by side. False when it stayed busy.
    private func unmountPlainly(_ overlay: MountIdentity) async throws(SystemError) -> Bool {
        let (stack, threads) = (stack, environment.unmountThreads)
        // The kernel has no event for "no longer busy", so the question is repeated.
        var pause = Duration.milliseconds(5)
        var told = false
        while true {
            let done = try await threads.run { () throws(SystemError) in try stack.unmountOnce(overlay) }
            if done { return true }
            guard let progress, !progress.plainDeadline.hasPassed else { return false }
            if !told, progress.startedAt.advanced(by: UnmountBudget.patience).hasPassed {
                told = true
                handle(.busy)
            }
            try? await Pause.sleep(for: min(pause, progress.plainDeadline.remaining))
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    func hastenUnmount() {
        progress?.plainDeadline = .now
    }

    private func unmountFailed(_ error: SystemError) {
        let holders = progress.map { Self.describe($0.report.holders) } ?? ""
        // Read before: the assignment holds `progress` while its right side is worked out.
        let elapsed = elapsed
        progress?.report.duration = elapsed
        log(.error, "unmount failed", [("error", error.description), ("holders", holders)])
        record(.unmountFailed, cause: error.description, details: [("holders", holders)])
        unusualCause = "it could not be unmounted: \(error)"
        let used = holders.isEmpty ? "" : "; in use by \(holders)"
        handle(.unmountFailed(SupervisorError(.mountFailed, "cannot unmount: \(error)\(used)")))
    }

    private var elapsed: Double? {
        progress.map { Double(Deadline.now.nanoseconds - $0.startedAt.nanoseconds) / 1e6 }
    }

    // MARK: Holders

    func findHolders() {
        Task {
            await self.noteHolders()
            let report = self.progress?.report ?? UnmountReport()
            self.log(
                .warning, "the mount is in use",
                [("holders", Self.describe(report.holders)), ("complete", "\(report.holdersComplete)")])
            self.record(.mountBusy, cause: Self.describe(report.holders))
            self.handle(.holdersFound(canBeKilled: !self.termination.targets(among: report.holders).isEmpty))
        }
    }

    private func noteHolders() async {
        guard let target = progress?.target else { return }
        let result = await environment.holders.holders(of: target)
        // Those who were found before are told, too: the search after they were ended finds nobody.
        let known = Set(progress?.report.holders ?? [])
        progress?.report.holders += result.holders.filter { !known.contains($0) }
        progress?.report.holdersComplete = result.isComplete
    }

    private var termination: HolderTermination {
        HolderTermination(caller: progress?.caller ?? 0, owner: owner.uid)
    }

    /// SIGTERM, then SIGKILL for those who are still there while the mount is still busy.
    func killHolders(atOnce: Bool) {
        guard let progress else { return }
        let targets = termination.targets(among: progress.report.holders)
        self.progress?.report.killed += targets.map(\.pid).filter { !progress.report.killed.contains($0) }
        log(.warning, "ending the holders of the mount", [("pids", targets.map { "\($0.pid)" }.joined(separator: " "))])
        record(.holdersEnded, details: targets.prefix(10).map { ("pid", "\($0.pid) \($0.command)") })
        Task {
            let processes = HolderTermination.living(targets)
            if !atOnce {
                for process in processes { process.signal(SIGTERM) }
                await self.wait(for: processes, until: .after(progress.budget.termination))
            }
            if self.machine.phase == .unmounting(.plain) {
                for process in processes { process.signal(SIGKILL) }
                await self.wait(for: processes, until: .after(progress.budget.termination))
            }
            self.handle(.holdersKilled)
        }
    }

    private func wait(for processes: [ChildProcess], until deadline: Deadline) async {
        while !deadline.hasPassed, machine.phase == .unmounting(.plain),
            processes.contains(where: { !$0.waitForEnd(until: .now) })
        {
            try? await Pause.sleep(for: .milliseconds(10))
        }
    }

    /// `make[123] cwd /src, fd 4 /out; …`, the first of them.
    static func describe(_ holders: [Holder]) -> String {
        var uses: [(pid: Int32, name: String, uses: [String])] = []
        for holder in holders {
            let use = "\(holder.use.name) \(holder.path)"
            if holder.pid != 0, let index = uses.firstIndex(where: { $0.pid == holder.pid }) {
                uses[index].uses.append(use)
            } else {
                uses.append((holder.pid, holder.pid == 0 ? "" : "\(holder.command)[\(holder.pid)] ", [use]))
            }
        }
        let shown = uses.prefix(8).map { $0.name + $0.uses.prefix(4).joined(separator: ", ") }
        return (shown + (uses.count > 8 ? ["and \(uses.count - 8) more"] : [])).joined(separator: "; ")
    }

    // MARK: Clearing away

    func abortConnection() {
        guard let custody else { return }
        do {
            try custody.abort()
        } catch {
            log(.error, "cannot abort the FUSE connection", [("error", error.description)])
        }
    }

    func endWorkerAndCleanUp() {
        let (overlay, custody) = (overlay, custody)
        let unmountedPlainly = machine.phase == .cleaning(.unmounted) && progress?.report.rung == .plain
        lower = nil
        Task {
            if unmountedPlainly, let custody { await self.endConnection(custody) }
            if let unused = self.recruit { (try? await unused.value)?.worker.signal(SIGKILL) }
            self.recruit = nil
            await self.endWorkerSoon()
            await self.clearAway(overlay, custody)
            await self.releaseDescriptors()
            // Again: a worker that came to serve while the mount was being ended was watched from then on.
            self.environment.heartbeat.forget(self.id)
            if let custody { self.noteSlowRequests(custody.memory.value(.slow)) }
            self.custody = nil
            self.endLease()
            self.tellUnmounted()
            self.handle(.cleaned)
        }
    }

    /// A plain unmount ends the superblocks and so the connection, unless somebody else has them, too.
    private func endConnection(_ custody: Custody) async {
        let ended = await environment.unmountThreads.run {
            custody.hasEnded(by: .after(MountEnvironment.superblockTimeout))
        }
        guard !ended else { return }
        progress?.report.pinnedElsewhere = true
        await noteHolders()
        log(
            .warning,
            "the mount is pinned elsewhere (another mount namespace or a bind mount); its connection is aborted",
            [("holders", progress.map { Self.describe($0.report.holders) } ?? "")])
        abortConnection()
    }

    /// Gives the worker time to leave by itself, then ends it. No thread waits meanwhile, so hundreds of hung workers end side by side.
    private func endWorkerSoon() async {
        guard let worker else { return }
        let budget = progress?.budget ?? UnmountBudget(limit: environment.configuration.unmountTimeout)
        for kill in [false, true] {
            if kill { worker.signal(SIGKILL) }
            let deadline = Deadline.after(budget.workerExit)
            var pause = Duration.milliseconds(1)
            while !worker.process.waitForEnd(until: .now), !deadline.hasPassed {
                try? await Pause.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(20))
            }
            if worker.process.waitForEnd(until: .now) { break }
        }
        self.worker = nil
    }

    private func clearAway(_ overlay: MountIdentity?, _ custody: Custody?) async {
        let (stack, made, filesystem) = (stack, made, upperFilesystem)
        upperFilesystem = nil
        // What a mount that never became ready left is nothing that anybody would want to keep; what a view that was succeeded had was carried on, or
        // discarded.
        let isWanted = machine.phase == .cleaning(.unmounted) && standing == .current
        let policy = isWanted ? upperPolicy : .delete
        do throws(SystemError) {
            let kept = try await environment.unmountThreads.run { () throws(SystemError) in
                // After a failure half way the overlay may have been attached.
                if let overlay, try overlay.isAttached() { try stack.unmountByForce(overlay, custody) }
                return try stack.cleanUp(made, policy, filesystem)
            }
            progress?.report.keptUpper = kept
            isRecordGone = true
            environment.records.remove(id)
        } catch {
            log(.error, "cannot clean up after a mount", [("error", error.description)])
        }
    }

    private func tellUnmounted() {
        guard machine.phase == .cleaning(.unmounted) else { return }
        let elapsed = elapsed
        progress?.report.duration = elapsed
        guard let report = progress?.report else { return }
        if report.rung == .forced, report.holders.contains(where: { $0.use == .namespace || $0.use == .bindMount }) {
            progress?.report.pinnedElsewhere = true
        }
        log(
            report.rung == .plain && !report.pinnedElsewhere ? .info : .warning, "unmounted",
            [
                ("rung", report.rung.rawValue), ("duration_ms", "\(report.duration ?? 0)"),
                ("holders", Self.describe(report.holders)), ("pinned_elsewhere", "\(report.pinnedElsewhere)"),
            ])
    }
}
