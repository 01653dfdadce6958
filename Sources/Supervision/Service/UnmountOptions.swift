public import Probes

/// How a mount is to be ended.
public struct UnmountOptions: Hashable, Sendable {
    /// Does not wait until nobody uses it: the connection is aborted and the mount detached at once.
    public var force: Bool
    /// Ends the processes that use it: SIGTERM, then SIGKILL; with `force` SIGKILL at once. For a caller other than root those of the mount's
    /// owner and of the caller only.
    public var kill: Bool

    public init(force: Bool = false, kill: Bool = false) {
        self.force = force
        self.kill = kill
    }
}

/// What becomes of a mount's upper when the mount has ended.
public enum UpperPolicy: String, Codable, Hashable, Sendable, CaseIterable {
    /// Moved to the trash at once, deleted in the background.
    case delete
    /// Kept in `upper_root/.kept-<mount id>`; whoever asked for it deletes it.
    case keep
}

/// How an unmount went, or goes.
public struct UnmountReport: Hashable, Sendable {
    /// Steps of the unmount ladder.
    public enum Rung: String, Hashable, Sendable, CaseIterable {
        /// umount2(2), repeated while it is busy, up to the limit.
        case plain
        /// Abort of the connection, then MNT_DETACH.
        case forced
    }

    public var rung = Rung.plain
    /// Milliseconds from the request to the end; nil while it goes on.
    public var duration: Double?
    /// Who used the mount, if it was busy.
    public var holders: [Holder] = []
    /// False if the search for holders was cut off at its deadline, or could not be made.
    public var holdersComplete = true
    /// Processes that were ended on request.
    public var killed: [Int32] = []
    /// Another mount namespace or a bind mount keeps the overlay: it ended here, and its connection was aborted.
    public var pinnedElsewhere = false
    /// Where the upper is, if it was kept.
    public var keptUpper: String?

    public init() {}
}
