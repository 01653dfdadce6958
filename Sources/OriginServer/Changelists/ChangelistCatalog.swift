import GitObjects

/// Finds changelists by name: those that are configured, then `refs/cl/NAME`.
struct ChangelistCatalog: Sendable {
    let store: ObjectStore
    let configured: [ChangelistRange]

    /// Nil if there is none of this name, or if a commit of it is not there any more.
    func changelist(_ name: RevisionName) async throws(OriginError) -> Changelist? {
        if let range = self.configured.first(where: { $0.name == name.text }) {
            guard let tip = try await self.store.commitID(of: range.tip.text) else { return nil }
            guard let revision = range.base else { return try await self.changelist(from: nil, to: tip) }
            guard let base = try await self.store.commitID(of: revision.text) else { return nil }
            return try await self.changelist(from: base, to: tip)
        }
        guard let tip = try await self.store.commitID(of: "refs/cl/\(name.text)") else { return nil }
        return try await self.changelist(from: try await self.base(of: tip), to: tip)
    }

    /// Where the change left the history of HEAD; of one that HEAD has taken in, its first parent.
    private func base(of tip: ObjectID) async throws(OriginError) -> ObjectID? {
        guard let head = try await self.store.commitID(of: "HEAD") else { return nil }
        let base = try await self.store.mergeBase(head, tip)
        guard base == tip else { return base }
        return try await self.store.commit(tip)?.parents.first
    }

    private func isRelated(_ commit: ObjectID) async throws(OriginError) -> Bool {
        guard let head = try await self.store.commitID(of: "HEAD") else { return false }
        return try await self.store.mergeBase(head, commit) != nil
    }

    private func changelist(from base: ObjectID?, to tip: ObjectID) async throws(OriginError) -> Changelist? {
        guard let after = try await self.store.commit(tip) else { return nil }
        var baseTree = ObjectID.emptyTreeSHA1
        if let base {
            guard let before = try await self.store.commit(base) else { return nil }
            baseTree = before.tree
        }
        return Changelist(
            base: base, sharesHistory: try await self.isRelated(base ?? tip), baseTree: baseTree, tip: tip,
            tipTree: after.tree, time: after.time)
    }
}
