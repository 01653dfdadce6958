/// A changelist that a mount shows on top of its commit.
public struct ChangelistRequest: Codable, Hashable, Sendable {
    /// The commit below it.
    public enum Base: String, Codable, Hashable, Sendable, CaseIterable {
        /// The one that the request's revision names, or the origin's head.
        case revision
        /// The one that the change was made from.
        case own
    }

    public var name: String
    /// Where the changelist begins: absolute; nil has that found out.
    public var path: String?
    public var base: Base

    public init(name: String, path: String? = nil, base: Base = .revision) {
        self.name = name
        self.path = path
        self.base = base
    }
}
