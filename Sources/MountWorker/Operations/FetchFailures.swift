import GitObjects

/// Why objects could not be fetched, for as long as it takes overlayfs to come and ask: the latest failures only.
struct FetchFailures {
    /// overlayfs looks in `t` and in `e` on behalf of the same thread, so that each asker learns its own reason.
    struct Key: Hashable {
        var asker: Int32
        var id: ObjectID
    }

    private var failures: BoundedCache<Key, Failure>

    init(limit: Int) {
        failures = BoundedCache(limit: limit)
    }

    mutating func note(_ failure: Failure, for key: Key) {
        failures.insert(failure, for: key)
    }

    /// The reason, which is forgotten: the next attempt has a reason of its own.
    mutating func take(_ key: Key) -> Failure? {
        defer { failures.remove(key) }
        return failures.value(for: key)
    }
}
