import CacheProtocol
import GitObjects
import LinuxSystem

/// Finds the sealed lower for a new mount, if there is one.
final class SealedLowers: Sendable {
    private let cache: CacheOwner
    private let threads: BlockingThreads
    private let log: any SupervisorLog
    private let snapshots = SealedSnapshots()
    private let owners = IdentityMaps()

    init(cache: CacheOwner, threads: BlockingThreads, log: any SupervisorLog) {
        self.cache = cache
        self.threads = threads
        self.log = log
    }

    /// Nil if the snapshot is not sealed. A sealed one that cannot be used is reported, and its mount is lazy: slower, and as right.
    func lower(of snapshot: PinnedSnapshot, owner: Accounts.User) async -> SealedLower? {
        guard snapshot.isSealed else { return nil }
        do {
            guard let mounted = try await mounted(snapshot) else { return nil }
            if let map = owners.known(owner) { return SealedLower(snapshot: mounted, owner: map) }
            let owners = owners
            let map = try await threads.run { () throws(SystemError) in try owners.entry(for: owner) }
            return SealedLower(snapshot: mounted, owner: map)
        } catch {
            log.log(
                .warning, "a sealed snapshot cannot be used; the mount is lazy",
                [("commit", snapshot.commit.hex), ("root", snapshot.root.hex), ("error", "\(error)")])
            return nil
        }
    }

    private func mounted(_ snapshot: PinnedSnapshot) async throws -> SealedSnapshot? {
        let key = SealedSnapshots.Key(origin: snapshot.origin, root: snapshot.root, time: snapshot.commitTime)
        if let known = snapshots.known(key) { return known }
        guard let received = try await cache.sealed(snapshot) else { return nil }
        let mounted = try await threads.run { () throws(SystemError) -> SealedSnapshot in
            guard let image = received.take(0), let layer = received.take(1), let inbox = received.take(2) else {
                throw SystemError(.protocolError, "receiving a sealed snapshot")
            }
            return try SealedSnapshot(image: image, layer: layer, inbox: inbox)
        }
        return snapshots.keep(mounted, as: key)
    }
}
