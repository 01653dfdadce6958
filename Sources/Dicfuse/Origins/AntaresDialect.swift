import CacheProtocol
import GitObjects

/// An origin with content-addressed extensions: raw trees with sizes, which verify.
struct AntaresDialect: OriginDialect {
    func resolve(
        _ revision: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> ResolvedCommit {
        let name = revision.isEmpty ? "HEAD" : revision
        let path = "/antares/v1/commits/" + PercentEncoding.encode(name.utf8, keepingSlashes: false)
        let reply = try await origin.get(OriginCall(path: path, counter: .pinFetches), limit: 64 * 1024) {
            (body) throws(CacheError) in try AntaresReplies.commit(body)
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
        let slot = TreeSlot()
        let packed = try await origin.perform(
            OriginCall(path: "/antares/v1/trees/\(id.hex)", counter: .treeFetches),
            receiver: {
                slot.result = nil
                return FrameReceiver(
                    [FrameReceiver.Wanted(id: id)], objects: store.objects, budget: origin.thread.budget,
                    known: { store.knownSize(of: $0) }, found: { slot.result = $1 })
            }
        ) { (receiver, _) throws(CacheError) in
            try receiver.finish()
            guard case .tree(let packed) = try slot.result?.get() else {
                throw CacheError(.corrupt, "the origin sent something else than tree \(id)")
            }
            return packed
        }
        guard let packed else {
            throw CacheError(
                .corrupt, "origin \(origin.name) has no tree \(id), though a commit or tree names it")
        }
        return FetchedDirectory(packed: packed)
    }

    /// What a receiver found. Belongs to the fetch thread.
    private final class TreeSlot {
        var result: Result<FrameReceiver.Object, CacheError>?
    }
}
