import GitObjects

/// Uses that are not in the index yet. They are written many at a time, and not at all where the index says nearly the same:
/// reading must not turn into writing.
struct RecentUses: Sendable {
    private var ids: Set<ObjectID> = []
    private var since: Int64 = 0

    /// Seconds by which a last use in the index may be behind.
    static let precision: Int64 = 300
    static let limit = 1024
    static let delay: Int64 = 60

    /// Notes a use of an object whose last use in the index is `recorded`; answers what is to be written now, if anything.
    mutating func note(_ id: ObjectID, recorded: Int64, now: Int64) -> Set<ObjectID>? {
        guard abs(now - recorded) > Self.precision else { return nil }
        if ids.isEmpty { since = now }
        ids.insert(id)
        return ids.count >= Self.limit || now - since >= Self.delay ? take() : nil
    }

    mutating func take() -> Set<ObjectID>? {
        defer { ids = [] }
        return ids.isEmpty ? nil : ids
    }
}
