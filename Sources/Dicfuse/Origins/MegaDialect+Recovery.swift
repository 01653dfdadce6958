import CacheProtocol
import GitObjects
import LinuxSystem

extension MegaDialect {
    /// Directories that are looked at for one that is lost.
    private static let recoveryLimit = 20_000

    /// What a path key stands for whose record went down with a damaged index: the trees of all commits that are known are walked
    /// until a directory has that key. A mount that was there before needs it, and cannot say it.
    ///
    /// The record comes from a listing the origin makes anew, because only that has the tree id that the parent lists.
    func recover(_ id: ObjectID, _ origin: isolated OriginFetcher) async throws(CacheError) -> PathRecord? {
        // Nobody makes the owner walk for nothing again and again.
        guard origin.recoveryAllowed.hasPassed else { return nil }
        var looked = 0
        for commit in origin.store.knownCommits {
            let root = PathRecord(commit: commit, path: [0x2F], listed: nil)
            var queue = [root]
            var next = 0
            while next < queue.count, looked < Self.recoveryLimit {
                let record = queue[next]
                next += 1
                looked += 1
                let key = PathKey.of(commit: commit, path: record.path)
                if key == id {
                    origin.store.remember(record, as: key)
                    return record
                }
                guard let listing = try await listing(of: record, key, origin) else { continue }
                for item in listing.items where item.entry.mode == .directory {
                    if item.entry.id == id { return try await relist(id, in: record, key, origin) }
                    let path = PathKey.child(of: record.path, item.name)
                    queue.append(PathRecord(commit: commit, path: path, listed: nil))
                }
            }
        }
        origin.recoveryAllowed = .after(.seconds(10))
        return nil
    }

    /// From the index, or from the origin, which is asked for as many directories as come before the lost one.
    private func listing(
        of record: PathRecord, _ key: ObjectID, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> PackedDirectory? {
        if let packed = origin.store.packedDirectory(key) { return try? PackedDirectory(packed) }
        if origin.store.path(of: key) == nil { origin.store.remember(record, as: key) }
        return try? PackedDirectory(try await directory(key, origin).packed)
    }

    private func relist(
        _ id: ObjectID, in parent: PathRecord, _ key: ObjectID, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> PathRecord? {
        if origin.store.path(of: key) == nil { origin.store.remember(parent, as: key) }
        let record = try await directory(key, origin).paths[id]
        if let record { origin.store.remember(record, as: id) }
        return record
    }
}
