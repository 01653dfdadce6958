import CacheProtocol
import GitObjects

/// What a changelist did to a mount's tree.
public struct AppliedChangelist: Hashable, Sendable {
    public var name: String
    /// Where it begins in the origin's tree.
    public var path: String
    /// Files that are put or taken away within the mount.
    public var files: Int
    /// The id that Git gives the mount's root, in hex; nil if that is not known.
    public var tree: String?

    public init(name: String, path: String, files: Int, tree: String?) {
        self.name = name
        self.path = path
        self.files = files
        self.tree = tree
    }

    init(_ change: PinnedChange) {
        self.init(
            name: change.name, path: String(decoding: change.root, as: UTF8.self), files: Int(change.files),
            tree: change.tree?.hex)
    }
}
