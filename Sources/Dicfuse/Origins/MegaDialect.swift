import CacheProtocol
import GitObjects

/// The published Mega API: listings by path at a commit, without sizes, and with modes only where the head still has the same
/// tree.
struct MegaDialect: OriginDialect {
    static let listingLimit = 256 << 20

    func resolve(
        _ revision: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> ResolvedCommit {
        let named = ObjectID(hex: revision)
        let latest: (commit: ObjectID, time: Int64)
        do throws(CacheError) {
            latest = try await latestCommit(revision, origin)
        } catch  where error.code == .unreachable && !revision.isEmpty {
            // A server answers an unknown name with 500, as it does when it fails: the head tells the two apart.
            _ = try await latestCommit("", origin)
            throw unknown(revision, origin)
        }
        let commit = named ?? latest.commit
        let root = PathRecord(commit: commit, path: [0x2F], listed: nil)
        return ResolvedCommit(
            commit: commit,
            record: SnapshotRecord(root: PathKey.of(commit: commit, path: root.path), time: latest.time), rootPath: root
        )
    }

    private func latestCommit(
        _ revision: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> (commit: ObjectID, time: Int64) {
        let refs =
            revision.isEmpty ? "" : "&refs=" + PercentEncoding.encode(revision.utf8, keepingSlashes: false)
        let reply = try await origin.get(
            "/api/v1/latest-commit?path=/\(refs)", counting: .pinFetches, limit: 1 << 20
        ) { (body) throws(CacheError) in
            try MegaReplies.latestCommit(body)
        }
        guard let reply else { throw unknown(revision, origin) }
        return reply
    }

    private func unknown(_ revision: String, _ origin: isolated OriginFetcher) -> CacheError {
        CacheError(.unknownRevision, "origin \(origin.name) has no commit or tag \"\(revision)\"")
    }

    func directory(
        _ id: ObjectID, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> FetchedDirectory {
        guard let record = origin.store.path(of: id) else {
            throw CacheError(.storage, "the index does not know what directory \(id) stands for: make the mount again")
        }
        let shown = "\(String(decoding: record.path, as: UTF8.self)) at \(record.commit)"
        let query = "?path=" + PercentEncoding.encode(record.path, keepingSlashes: true)
        let listing = try await origin.get(
            "/api/v1/tree/content-hash\(query)&refs=\(record.commit.hex)", counting: .listingFetches,
            limit: Self.listingLimit
        ) { (body) throws(CacheError) in
            try MegaReplies.listing(body)
        }
        guard let listing else { throw CacheError(.corrupt, "origin \(origin.name) does not list \(shown)") }
        if listing.isEmpty, let listed = record.listed, listed != .emptyTreeSHA1 {
            // An empty list also means "no such path", and this path was in its parent's list.
            throw CacheError(
                .corrupt, "origin \(origin.name) lists nothing for \(shown), which its parent lists as a tree")
        }
        let modes = await self.modes(query, record, needed: listing.contains { !$0.isDirectory }, origin)
        return try pack(listing, modes, record, shown, origin)
    }

    /// Modes come from the head's tree; `oid` makes the server answer only if that is the tree that was listed.
    private func modes(
        _ query: String, _ record: PathRecord, needed: Bool, _ origin: isolated OriginFetcher
    ) async -> [[UInt8]: (mode: FileMode, id: ObjectID)] {
        guard needed else { return [:] }
        let guarding = record.listed.map { "&oid=\($0.hex)" } ?? ""
        let body = try? await origin.get(
            "/api/v1/file/tree\(query)\(guarding)", counting: .treeFetches, limit: AntaresDialect.treeLimit
        ) { (body) throws(CacheError) in body }
        return MegaReplies.modes(body.flatMap { $0 } ?? [])
    }

    private func pack(
        _ listing: [MegaReplies.Listed], _ modes: [[UInt8]: (mode: FileMode, id: ObjectID)], _ record: PathRecord,
        _ shown: String, _ origin: isolated OriginFetcher
    ) throws(CacheError) -> FetchedDirectory {
        var result = FetchedDirectory(packed: [])
        var items: [DirectoryPacker.Item] = []
        items.reserveCapacity(listing.count)
        for listed in listing {
            let entry: PackedEntry
            if listed.isDirectory {
                let path = PathKey.child(of: record.path, listed.name)
                let key = PathKey.of(commit: record.commit, path: path)
                result.paths[key] = PathRecord(commit: record.commit, path: path, listed: listed.id)
                entry = PackedEntry(mode: .directory, id: key, size: 0)
            } else {
                entry = Self.file(listed, modes[listed.name], origin.store)
            }
            items.append(DirectoryPacker.Item(name: listed.name, entry: entry))
        }
        result.packed = try DirectoryPacker.packed(items, of: shown)
        return result
    }

    private static func file(
        _ listed: MegaReplies.Listed, _ found: (mode: FileMode, id: ObjectID)?, _ store: OriginStore
    ) -> PackedEntry {
        var entry = PackedEntry(mode: .regular, id: listed.id, size: 0)
        let information = store.information(of: listed.id)
        if let found, found.id == listed.id, found.mode != .directory {
            entry.mode = found.mode
            guard entry.mode.hasBlob else { return entry }
        } else if let executable = information?.executable {
            entry.mode = executable ? .executable : .regular
        } else {
            entry.flags.insert(.modeUnknown)
        }
        if let information {
            entry.size = information.size
        } else {
            entry.flags.insert(.sizeUnknown)
        }
        return entry
    }
}
