import CacheProtocol

/// A pin of a commit with a changelist on top.
struct ChangelistQuestion: Hashable, Sendable {
    var name: String
    /// The commit below: a revision, empty for the head. Not used if `base` is the changelist's own.
    var revision: String
    var base: ChangelistBase
    /// Path of the mount, without leading, trailing or doubled slashes.
    var path: [UInt8]
    /// Where the changelist begins, if the caller says; spelled likewise.
    var root: [UInt8]?
}
