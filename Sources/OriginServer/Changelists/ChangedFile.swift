import GitObjects

/// One file that differs between two trees, as Git's rename detection sees it.
struct ChangedFile: Hashable, Sendable {
    /// The words of the published API.
    enum Action: String, Sendable {
        case new, modified, deleted, renamed
    }

    var action: Action
    /// From the root of the tree, without a leading slash.
    var path: [UInt8]
    /// Of what is deleted the old one, else the new one.
    var id: ObjectID
    var mode: FileMode
    var oldID: ObjectID?
    /// Where it was, if it is renamed.
    var oldPath: [UInt8]?
    /// Per cent, if it is renamed.
    var similarity: Int?

    /// The order of the published API: by path, component by component.
    static func precedes(_ left: ChangedFile, _ right: ChangedFile) -> Bool {
        // A slash is below every other byte of a name, so that a directory's entries stand right behind it.
        left.path.lexicographicallyPrecedes(right.path) { ($0 == 0x2f ? 0 : $0) < ($1 == 0x2f ? 0 : $1) }
    }
}
