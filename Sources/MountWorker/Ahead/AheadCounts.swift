/// What asking ahead was good for.
struct AheadCounts: Hashable, Sendable {
    /// Files and directories that came before anybody asked for them.
    var brought: UInt64 = 0
    /// Those of them that were then wanted.
    var used: UInt64 = 0
}
