import LinuxSystem
import WorkerProtocol

/// The views that an earlier supervisor left besides the current one.
extension MountActor {
    /// Goes on with a view that was succeeded, for those who have it open.
    func adoptRetired(_ record: MountRecord, custody: Custody, source: CustodySource, worker: WorkerProcess?) async {
        standing = .retired
        retiredUntil =
            record.retiredUntil.map { Deadline(nanoseconds: $0) }
            ?? .after(environment.configuration.retiredViewLimit)
        await adopt(record, custody: custody, source: source, worker: worker)
        handle(.yield)
        handle(.superseded)
        writeRecord()
        watchRetired()
    }

    /// Takes away what is left of a view that nobody can use any more. Clients know nothing of it.
    func abandonView(_ record: MountRecord, because reason: String) async {
        standing = .retired
        await abandon(record, because: reason)
    }
}
