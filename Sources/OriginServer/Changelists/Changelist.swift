import GitObjects

/// A change under a name: from one commit to another, now.
struct Changelist: Sendable {
    /// Nil if it begins with nothing.
    var base: ObjectID?
    /// Whether the base has an ancestor in common with HEAD: then both begin at the same root.
    var sharesHistory: Bool
    var baseTree: ObjectID
    var tip: ObjectID
    var tipTree: ObjectID
    /// Committer time of the tip, seconds after 1970.
    var time: Int64
}
