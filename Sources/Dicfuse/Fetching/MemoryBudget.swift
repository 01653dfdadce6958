import CacheProtocol

/// What the bodies that are being received may take in memory all together. Belongs to the fetch thread.
///
/// Blobs stream to disk; what has to be held is listings and trees. One that would pass the limit is turned away and tried
/// again, so that a hundred huge directories asked for at once cost time, not memory.
final class MemoryBudget {
    let limit: Int
    fileprivate(set) var used = 0

    /// Room for the largest listing there may be and everything beside it.
    static let standard = 512 << 20

    init(limit: Int = MemoryBudget.standard) {
        self.limit = limit
    }
}

/// One body's part of the budget; given back when it is let go of.
final class MemoryShare {
    private let budget: MemoryBudget
    private var taken = 0

    init(_ budget: MemoryBudget) {
        self.budget = budget
    }

    deinit {
        budget.used -= taken
    }

    /// Takes so many bytes more; an error if there are not so many.
    func grow(_ count: Int) -> CacheError? {
        guard budget.used + count <= budget.limit else {
            return CacheError(
                .overloaded, "listings under way take \(budget.used) bytes; another \(count) are over the limit")
        }
        budget.used += count
        taken += count
        return nil
    }
}
