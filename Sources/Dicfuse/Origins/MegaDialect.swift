import CacheProtocol
import GitObjects

/// The published Mega API: listings by path at a commit, without sizes, and with modes only where the head still has the same
/// tree.
struct MegaDialect: OriginDialect {
    static let listingLimit = 128 << 20

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
            OriginCall(path: "/api/v1/latest-commit?path=/\(refs)", counter: .pinFetches), limit: 1 << 20
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
        var known = origin.store.path(of: id)
        if known == nil { known = try await recover(id, origin) }
        guard var record = known else {
            throw CacheError(.storage, "the index does not know what directory \(id) stands for: make the mount again")
        }
        let shown = "\(String(decoding: record.path, as: UTF8.self)) at \(record.commit)"
        let query = "?path=" + PercentEncoding.encode(record.path, keepingSlashes: true)
        let (listing, raw) = try await list(record, query, shown, origin)
        if listing.isEmpty, let listed = record.listed, listed != .emptyTreeSHA1 {
            // An empty list also means "no such path", and this path was in its parent's list.
            throw CacheError(
                .corrupt, "origin \(origin.name) lists nothing for \(shown), which its parent lists as a tree")
        }
        if record.isUnpinnable {
            try confirm(listing, raw, shown, origin)
        } else if raw == nil, record.listed != nil, try await ignoresCommit(query, origin) {
            record.isUnpinnable = true
            // Its parent lists a placeholder, which no tree of it will ever be.
            record.listed = nil
            origin.noteUnpinnable(record)
            // What is at the head of such a repository has modes there.
            let head = try await rawTree(query, nil, origin)
            return try pack(listing, MegaReplies.modes(head ?? []), record, shown, origin)
        }
        return try pack(listing, MegaReplies.modes(raw ?? []), record, shown, origin)
    }

    /// The listing at the record's commit, and the raw tree if that is the one its parent lists.
    private func list(
        _ record: PathRecord, _ query: String, _ shown: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> (listing: [MegaReplies.Listed], raw: [UInt8]?) {
        let listing = try await origin.get(
            OriginCall(
                path: "/api/v1/tree/content-hash\(query)&refs=\(record.commit.hex)", counter: .listingFetches),
            limit: Self.listingLimit
        ) { (body) throws(CacheError) in
            try MegaReplies.listing(body)
        }
        guard let listing else { throw CacheError(.corrupt, "origin \(origin.name) does not list \(shown)") }
        // Directories have no modes to ask for; an import's raw tree is asked for even so, as the proof that it has not moved.
        guard record.isUnpinnable || listing.contains(where: { !$0.isDirectory }) else { return (listing, nil) }
        do throws(CacheError) {
            return (listing, try await rawTree(query, record.listed, origin))
        } catch  where !record.isUnpinnable {
            // A server without raw trees is served by the rule for unknown modes.
            return (listing, nil)
        }
    }

    /// The tree at the head, or nil if that is not the tree `listed`: `oid` makes the server answer only then.
    private func rawTree(
        _ query: String, _ listed: ObjectID?, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> [UInt8]? {
        let guarding = listed.map { "&oid=\($0.hex)" } ?? ""
        let body = try await origin.get(
            OriginCall(path: "/api/v1/file/tree\(query)\(guarding)", counter: .treeFetches), limit: Self.listingLimit
        ) { (body) throws(CacheError) in body }
        return body.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether the server answers for a commit that there cannot be: then it does not look at the commit at all, as it does below
    /// the root of an imported repository.
    private func ignoresCommit(_ query: String, _ origin: isolated OriginFetcher) async throws(CacheError) -> Bool {
        let nobody = String(repeating: "f", count: 40)
        do throws(CacheError) {
            let listing = try await origin.get(
                OriginCall(
                    path: "/api/v1/tree/content-hash\(query)&refs=\(nobody)", counter: .listingFetches,
                    serverErrorIsFinal: true), limit: Self.listingLimit
            ) { (body) throws(CacheError) in try MegaReplies.listing(body) }
            return listing?.isEmpty == false
        } catch {
            // The published server answers 500 for an unknown commit; whatever else fails tells nothing against the commit.
            return false
        }
    }

    /// A directory of an import is served as its parent listed it or not at all: never one version beside another.
    private func confirm(
        _ listing: [MegaReplies.Listed], _ raw: [UInt8]?, _ shown: String, _ origin: isolated OriginFetcher
    ) throws(CacheError) {
        let names = raw.flatMap { try? TreeParser.entries(of: $0) }.map { entries in
            Dictionary(entries.map { ($0.name, $0.id) }, uniquingKeysWith: { first, _ in first })
        }
        let isSame = names.map { names in
            names.count == listing.count && listing.allSatisfy { names[$0.name] == $0.id }
        }
        guard isSame == true else {
            origin.counters.add(.movedImports)
            throw CacheError(
                .corrupt,
                "\(shown) is in an imported repository that has moved on since the mount first looked into it, and the "
                    + "origin \(origin.name) serves only its head: make the mount again")
        }
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
                result.paths[key] = PathRecord(
                    commit: record.commit, path: path, listed: listed.id, isUnpinnable: record.isUnpinnable)
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
