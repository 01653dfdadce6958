import GitObjects
import LinuxSystem

/// The sealed snapshots that are mounted, by what they show. Those of live mounts are kept by them; of the others the latest few are kept
/// for the next mount.
final class SealedSnapshots: Sendable {
    struct Key: Hashable, Sendable {
        var origin: String
        var root: ObjectID
        /// Seconds after 1970: the same tree at two commits has two times.
        var time: Int64
    }

    private let snapshots: Guarded<RecentlyUsed<Key, SealedSnapshot>>

    init(limit: Int = 8) {
        snapshots = Guarded(RecentlyUsed(limit: limit))
    }

    func known(_ key: Key) -> SealedSnapshot? {
        snapshots.with { $0.use(key) }
    }

    /// Keeps a snapshot, or returns the one that was kept first: two mounts of an image share nothing in the kernel's caches.
    func keep(_ snapshot: SealedSnapshot, as key: Key) -> SealedSnapshot {
        snapshots.with { $0.keep(snapshot, for: key) }
    }
}
