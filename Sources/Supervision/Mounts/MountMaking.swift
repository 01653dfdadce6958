import LinuxSystem

/// The blocking half of making a mount, from its first record to the moment in which it can be seen: one job of a `BlockingThreads`, which begins
/// while the first worker takes over, and waits in the kernel for its first answer.
struct MountMaking: Sendable {
    let stack: MountStack
    let lower: LowerMount
    let sealed: SealedLower?
    let probeName: String
    let description: MountDescription
    let records: RecordStore
    /// As it is to be told before anything of the mount is there.
    let record: MountRecord?
    let requestedAt: Deadline

    /// What there is afterwards, also if a later step failed.
    struct Outcome: Sendable {
        /// Why records could not be written, which costs no mount.
        var unwritten: [SystemError] = []
        var filesystem: UpperFilesystem?
        var prepared: MountStack.Prepared?
        var failure: SupervisorError?

        fileprivate mutating func add(_ error: SystemError?) {
            if let error { unwritten.append(error) }
        }
    }

    func run() -> Outcome {
        var outcome = Outcome()
        do throws(SupervisorError) {
            let (unwritten, made) = Self.upper(of: stack, records, record)
            outcome.add(unwritten)
            let upper = try made.get()
            outcome.filesystem = upper.filesystem
            try attach(upper, &outcome)
        } catch {
            outcome.failure = error
        }
        return outcome
    }

    private func attach(_ upper: UpperLayer, _ outcome: inout Outcome) throws(SupervisorError) {
        do throws(SystemError) {
            let prepared = try stack.prepare(
                on: lower, sealed: sealed, upper: upper, probeName: probeName, description: description)
            outcome.prepared = prepared
            // Before the mount can be seen: a supervisor that dies right after attaching leaves a mount that the next one knows.
            let readyAfter = Deadline.now.since(requestedAt) / .milliseconds(1)
            outcome.add(records.attempt(record?.attaching(prepared, readyAfter: readyAfter)))
            try stack.attach(prepared)
        } catch {
            throw Self.failure(error, at: stack.mountpoint.path)
        }
    }

    /// Makes the upper of a mount, or of a view that is to take the place of another. It is the first thing that outlives the supervisor, so it has a record
    /// before it is there.
    static func upper(
        of stack: MountStack, _ records: RecordStore, _ record: MountRecord?
    ) -> (unwritten: SystemError?, made: Result<UpperLayer, SupervisorError>) {
        let unwritten = records.attempt(record)
        let made = Result { () throws(SystemError) in try stack.makeUpper() }
        return (
            unwritten,
            made.mapError { error in
                error.isLackOfSpace
                    ? SupervisorError(.overloaded, "there is no room for another upper: \(error)", retryAfter: 30)
                    : SupervisorError(.mountFailed, "cannot make the upper: \(error)")
            }
        )
    }

    static func failure(_ error: SystemError, at path: String) -> SupervisorError {
        switch error.errno {
        case .notEmpty:
            SupervisorError(.conflict, "the mountpoint \(path) is not empty", cause: error.description)
        case .crossDevice, .tooManyLinks, .notADirectory:
            SupervisorError(
                .invalidRequest, "the mountpoint \(path) leads through a link, a file or another mount",
                cause: error.description)
        default:
            SupervisorError(.mountFailed, "cannot make the mount: \(error)", cause: nil)
        }
    }
}

extension MountRecord {
    /// What is written right before a prepared mount is attached.
    fileprivate func attaching(_ prepared: MountStack.Prepared, readyAfter: Double) -> MountRecord {
        var record = self
        (record.phase, record.isAttaching, record.readyAfter) = (.ready, true, readyAfter)
        record.mountIdentity = prepared.identity.id
        (record.madeComponents, record.isMountpointLocked) = (prepared.made.components, prepared.made.isLocked)
        return record
    }
}
