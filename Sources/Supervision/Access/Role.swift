/// What somebody may do with the API; each may do what those before it may.
public enum Role: String, CaseIterable, Comparable, Sendable {
    /// Sees everything, changes nothing.
    case reader
    /// Makes mounts for its own uid and gid, and sees and ends its own only.
    case agent
    /// Everything.
    case `operator`

    private var rank: Int {
        switch self {
        case .reader: 0
        case .agent: 1
        case .operator: 2
        }
    }

    public static func < (left: Role, right: Role) -> Bool {
        left.rank < right.rank
    }
}
