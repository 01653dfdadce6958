import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Probes
import WorkerProtocol

/// A view that is built to take the place of another: from the proof of its lower to the exchange.
extension MountActor {
    /// What this view is made for.
    func build(for succession: Succession, pinning commit: String?, createdAt: Int64) {
        self.createdAt = createdAt
        standing = .building(succession)
        pinnedCommit = commit
        replaced = succession.predecessor.id
    }

    func succeed(_ succession: Succession, _ lower: LowerMount) {
        let old = succession.predecessor
        Task {
            let upper: UpperLayer
            do throws(SupervisorError) {
                // Before anybody is held up: an image takes its time, and there may be no room for one.
                upper = try await self.makeUpper()
                try await old.yield(to: succession)
            } catch {
                return self.handle(.failed(error))
            }
            do throws(SupervisorError) {
                if succession.writes == .carry { try await self.carry(from: old, into: upper, succession) }
                let prepared = try await self.prepareSuccessor(lower, upper)
                // An abort that came too late for the thread has ended the connection.
                if let failure = self.machine.failure { throw failure }
                guard succession.commit() else { throw MountMachine.endedEarly }
                self.handle(.placing)
                // What a supervisor that dies in the middle leaves is told by the mount table: this view is there, or it is not.
                self.overlay = prepared.identity
                self.writeRecord()
                try await self.exchangePlaces(prepared, old)
                self.lower = nil
                self.sealed = nil
            } catch {
                await old.stay()
                return self.handle(.failed(error))
            }
            await self.takeOver(from: old, succession)
        }
    }

    private func makeUpper() async throws(SupervisorError) -> UpperLayer {
        let (stack, records, record) = (stack, environment.records, currentRecord())
        let (unwritten, made) = await environment.mountThreads.run {
            MountMaking.upper(of: stack, records, record)
        }
        note(unwritten: unwritten)
        let upper = try made.get()
        upperFilesystem = upper.filesystem
        return upper
    }

    private func prepareSuccessor(
        _ lower: LowerMount, _ upper: UpperLayer
    ) async throws(SupervisorError) -> MountStack.PreparedSuccessor {
        let (stack, sealed, probeName, description) = (stack, sealed, probeName, description)
        do throws(SystemError) {
            return try await environment.mountThreads.run { () throws(SystemError) in
                try stack.prepareSuccessor(
                    on: lower, sealed: sealed, upper: upper, probeName: probeName, description: description)
            }
        } catch {
            throw MountMaking.failure(error, at: mountpoint.path)
        }
    }

    private func exchangePlaces(
        _ prepared: MountStack.PreparedSuccessor, _ old: MountActor
    ) async throws(SupervisorError) {
        guard let identity = await old.overlay else { throw Self.defect("the view before has no overlay") }
        let stack = stack
        do throws(SystemError) {
            try await environment.mountThreads.run { () throws(SystemError) in
                try stack.exchange(prepared, for: identity)
            }
        } catch {
            throw Self.placeFailure("cannot put the next view in the place of the one before", error)
        }
    }

    private func takeOver(from old: MountActor, _ succession: Succession) async {
        // First: whoever is told that the old view was succeeded asks for the mount again.
        await succession.promote(self)
        let estate = await old.superseded()
        (made, createdAt, readyAfter) = (estate.made, estate.createdAt, estate.readyAfter)
        exchange = estate.exchange
        exchange?.carried = carried
        exchange?.conflicts = conflicts
        exchange?.duration = estate.exchangeBegan.map { Deadline.now.since($0) / .milliseconds(1) }
        // From now on every failure is one of the mount, no longer one of the exchange.
        exchangeTask = Task { await self.settle(old) }
        handle(.stacked)
        standing = .current
        inheritLease(estate.lease, estate.client)
        writeRecord()
    }

    /// The next view has the place; what is left is to be told, and to let the old one go.
    private func settle(_ old: MountActor) async {
        // After the record of this view: the record of an old one that says retired has a successor.
        await old.retire()
        let remaining = await old.remainingHolders()
        exchange?.state = .done
        exchange?.holders = remaining.holders
        exchange?.holdersComplete = remaining.isComplete
        let cause = remaining.holders.isEmpty ? nil : "in use: \(Self.describe(remaining.holders))"
        record(
            .mountSwitched, cause: cause, duration: exchange?.duration.map { .nanoseconds(Int64($0 * 1e6)) },
            details: [
                ("cl", request.changelist?.name ?? "-"), ("commit", snapshot?.commit.hex ?? "-"),
                ("carried", "\(exchange?.carried ?? 0)"), ("conflicts", "\(exchange?.conflicts.count ?? 0)"),
            ])
    }
}

extension PinnedSnapshot {
    /// What pins the same commit again; nil where the origin cannot pin it.
    var pinnableCommit: String? {
        assurance.contains(.unpinnable) ? nil : commit.hex
    }
}
