import CacheProtocol
import GitObjects

/// An origin with content-addressed extensions: raw trees with sizes, which verify.
struct AntaresDialect: OriginDialect {
    /// The longest tree taken, in bytes; room for millions of entries.
    static let treeLimit = 512 << 20

    func resolve(
        _ revision: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> ResolvedCommit {
        let name = revision.isEmpty ? "HEAD" : revision
        let path = "/antares/v1/commits/" + PercentEncoding.encode(name.utf8, keepingSlashes: false)
        let reply = try await origin.get(path, counting: .pinFetches, limit: 64 * 1024) { (body) throws(CacheError) in
            try AntaresReplies.commit(body)
        }
        guard let commit = reply else {
            throw CacheError(.unknownRevision, "origin \(origin.name) has no commit, tag or branch \"\(name)\"")
        }
        return commit
    }

    func directory(
        _ id: ObjectID, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> FetchedDirectory {
        let store = origin.store
        let items = try await origin.get(
            "/antares/v1/trees/\(id.hex)", counting: .treeFetches, limit: Self.treeLimit
        ) { (body) throws(CacheError) in
            try AntaresReplies.tree(body, id: id) { store.knownSize(of: $0) }
        }
        guard let items else {
            throw CacheError(
                .corrupt, "origin \(origin.name) has no tree \(id), though a commit or tree names it")
        }
        return FetchedDirectory(packed: try DirectoryPacker.packed(items, of: "tree \(id)"))
    }
}
