/// What a client asks for with `POST` and `DELETE /mounts/{id}/cl`.
public struct SwitchRequest: Hashable, Sendable {
    /// What becomes of what the job wrote in the view that it has.
    public enum Writes: String, Hashable, Sendable, CaseIterable {
        /// There must be none.
        case refuse
        /// Taken over into the next view.
        case carry
        /// Given up.
        case discard
    }

    /// The changelist to show; nil for none.
    public var changelist: ChangelistRequest?
    /// The commit below it; nil: the one that the mount has.
    public var revision: String?
    public var writes: Writes

    public init(changelist: ChangelistRequest?, revision: String? = nil, writes: Writes = .refuse) {
        self.changelist = changelist
        self.revision = revision
        self.writes = writes
    }
}
