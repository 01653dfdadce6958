import GitObjects

extension ObjectStore {
    /// The files that differ between two trees, renames detected.
    /// - Throws: `tooLarge`; `timedOut` when finding renames takes too long.
    func changes(from base: ObjectID, to tip: ObjectID) async throws(OriginError) -> [ChangedFile] {
        try await self.differ.changes(ObjectPair(from: base, to: tip))
    }

    /// The best common ancestor of two commits; nil if there is none.
    func mergeBase(_ one: ObjectID, _ other: ObjectID) async throws(OriginError) -> ObjectID? {
        try await self.differ.mergeBase(ObjectPair(from: one, to: other))
    }
}
