import CacheProtocol
import Glibc
import LinuxSystem
import WorkerProtocol

/// What a job wrote, on its way from one view of its mount to the next.
extension MountActor {
    /// Keeps the view from being written to, with everything that a carry needs in its upper. Throws `.conflict` if that cannot be had because the job
    /// goes on writing.
    func freezeForCarry(_ succession: Succession) async throws(SupervisorError) {
        for _ in 0..<Self.completions {
            try await freeze(succession)
            let missing = try await filesWithoutContents()
            if missing.isEmpty { return }
            // It is the mount that brings them in, so it has to be writable meanwhile.
            await thaw()
            try await complete(missing, succession)
        }
        throw SupervisorError(.conflict, "the job goes on changing files: what it wrote cannot be taken over now")
    }

    private static let completions = 5

    /// Files of which the upper has the metadata only (over a sealed snapshot, after chmod(2) or rename(2)).
    private func filesWithoutContents() async throws(SupervisorError) -> [[UInt8]] {
        guard isSealed else { return [] }
        let layer = try await openUpper()
        let deadline = Deadline.after(MountEnvironment.carryTimeout)
        do throws(SystemError) {
            return try await environment.changeThreads.run { () throws(SystemError) in
                let scan = try UpperScan(of: layer.raw, withMetacopies: true, deadline: deadline)
                return scan.entries.indices.filter { index in
                    if case .file(_, _, .lower) = scan.entries[index].kind { true } else { false }
                }.map(scan.path)
            }
        } catch {
            throw ChangeFinder.explain(error)
        }
    }

    private func complete(_ paths: [[UInt8]], _ succession: Succession) async throws(SupervisorError) {
        guard let overlay else { throw Self.defect("nothing is attached") }
        let (stack, program) = (stack, environment.workerProgram)
        let deadline = Deadline.after(MountEnvironment.carryTimeout)
        try await carrying(until: deadline, succession) { () throws(SystemError) in
            try LayerCopy.completing(paths, below: stack.root(of: overlay), program: program)
        }
    }

    /// Copies what the job wrote into the upper of this view, before anything stands on it, and notes what met a difference of the two views.
    func carry(
        from old: MountActor, into layer: UpperLayer, _ succession: Succession
    ) async throws(SupervisorError) {
        let deadline = Deadline.after(MountEnvironment.carryTimeout)
        let changes = try await old.changes(deadline: deadline)
        let conflicts = CarryConflicts(changes)
        guard let before = await old.snapshot, let after = snapshot else { throw Self.defect("no snapshot") }
        let cache = environment.cache
        let (mine, next) = (
            try await cache.lookUp(origin: origin, root: before.root, paths: conflicts.paths, deadline: deadline),
            try await cache.lookUp(origin: origin, root: after.root, paths: conflicts.paths, deadline: deadline)
        )
        if let lost = conflicts.renamedFromSomethingElse(mine, next) {
            throw SupervisorError(
                .conflict,
                "the job has renamed the directory \(UpperChange.text(lost)), which is another one in the next view: what is in it cannot be taken over; copy it instead, or discard what was written"
            )
        }
        carried = changes.count
        self.conflicts = conflicts.conflicts(mine, next).map(UpperChange.text)
        let source = try await old.openUpper()
        try await carrying(until: deadline, succession) { () throws(SystemError) in
            try LayerCopy.copying(from: source, to: layer.upper)
        }
        do throws(SystemError) {
            try await environment.changeThreads.run { () throws(SystemError) in
                try LayerCopy.forgetOrigins(in: layer.upper, deadline: deadline)
            }
        } catch {
            throw Self.carryFailure(error)
        }
    }

    /// Runs a program that carries. Nobody else waits meanwhile.
    private func carrying(
        until deadline: Deadline, _ succession: Succession,
        _ start: @escaping @Sendable () throws(SystemError) -> CarryProgram
    ) async throws(SupervisorError) {
        do throws(SystemError) {
            let program = try await environment.mountThreads.run(start)
            try await program.finish(until: deadline, reapedBy: environment.monitor) { succession.isCancelled }
        } catch {
            throw Self.carryFailure(error)
        }
    }

    private static func carryFailure(_ error: SystemError) -> SupervisorError {
        switch error.errno {
        case .cancelled: MountMachine.endedEarly
        case .timedOut:
            SupervisorError(
                .timedOut, "what the job wrote could not be taken over within \(MountEnvironment.carryTimeout)",
                cause: error.description)
        default: SupervisorError(.mountFailed, "cannot take over what the job wrote: \(error)")
        }
    }

    /// Throws unless the job has written nothing; says what it was.
    func refuseChanges() async throws(SupervisorError) {
        let changes = try await changes(deadline: .after(environment.configuration.requestTimeout))
        guard !changes.isEmpty else { return }
        let named = changes.prefix(Self.namedChanges).map { "\($0)" }.joined(separator: ", ")
        let more = changes.count > Self.namedChanges ? " and \(changes.count - Self.namedChanges) more" : ""
        throw SupervisorError(
            .conflict, "the job has written: \(named)\(more); say `carry` to take that over, or `discard`")
    }

    private static let namedChanges = 20
}
