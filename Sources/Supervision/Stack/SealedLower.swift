/// What a sealed mount has that a lazy one has not.
struct SealedLower: Sendable {
    let snapshot: SealedSnapshot
    /// Whose its files are.
    let owner: IdentityMaps.Entry
}
