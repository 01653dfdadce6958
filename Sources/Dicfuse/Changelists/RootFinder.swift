import GitObjects

/// Decides where a changelist belongs whose origin tells only what its own root holds. A value without I/O.
///
/// A directory with the same entries is the place. If there is none, because the tree has moved on, one that has at least three quarters of them
/// is, if it is the only one. Everything else is not known, and a guess would show a job a tree that nobody made.
struct RootFinder: Sendable {
    /// What a directory holds: name → whether it is a directory, and its id if that can be compared.
    typealias Shape = [[UInt8]: Entry]

    struct Entry: Hashable, Sendable {
        var isDirectory: Bool
        var id: ObjectID?
    }

    enum Fit: Hashable, Sendable { case none, similar, same }

    enum Verdict: Hashable, Sendable {
        case found([[UInt8]])
        case ambiguous([[[UInt8]]])
        /// Nothing fits among the directories that were looked at.
        case nowhere
        /// One fits, but not all directories were looked at.
        case uncertain([[UInt8]])
    }

    /// Directories that are looked at.
    static let limit = 512

    let base: Shape
    private(set) var same: [[[UInt8]]] = []
    private(set) var similar: [[[UInt8]]] = []
    private(set) var looked = 0

    init(base: Shape) {
        self.base = base
    }

    var isExhausted: Bool { looked >= Self.limit }

    mutating func look(at path: [[UInt8]], _ shape: Shape) {
        looked += 1
        switch Self.fit(shape, base) {
        case .none: break
        case .similar: similar.append(path)
        case .same: same.append(path)
        }
    }

    /// - Parameter isComplete: whether every directory was looked at where it may be.
    func verdict(isComplete: Bool) -> Verdict {
        if same.count == 1 { return .found(same[0]) }
        if same.count > 1 { return .ambiguous(same) }
        guard let only = similar.first else { return .nowhere }
        if similar.count > 1 { return .ambiguous(similar) }
        return isComplete ? .found(only) : .uncertain(only)
    }

    static func fit(_ candidate: Shape, _ base: Shape) -> Fit {
        guard !base.isEmpty else { return .none }
        let common = base.count { candidate[$0.key]?.isDirectory == $0.value.isDirectory }
        if common == base.count, candidate.count == base.count,
            base.allSatisfy({ name, entry in
                guard let id = entry.id, let other = candidate[name]?.id else { return false }
                return id == other
            })
        {
            return .same
        }
        return common * 4 >= base.count * 3 ? .similar : .none
    }
}
