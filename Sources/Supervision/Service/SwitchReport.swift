public import Probes

/// How the exchange of a mount's changelist went, or goes.
public struct SwitchReport: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        /// The next view is being built; the mount shows the one before.
        case building
        case done
        /// The mount shows the view before, as it was.
        case failed(reason: String)

        /// The stable word.
        public var name: String {
            switch self {
            case .building: "building"
            case .done: "done"
            case .failed: "failed"
            }
        }
    }

    public var state = State.building
    /// The changelist that was asked for; nil for none.
    public var changelist: String?
    /// Milliseconds after 1970.
    public var startedAt: Int64
    /// Milliseconds from the request to the exchange; nil before.
    public var duration: Double?
    /// Changes of the job that were taken over.
    public var carried = 0
    /// Paths that the job had changed and that differ between the two views: the job's version is there now.
    public var conflicts: [String] = []
    /// Who had the view before open when it was exchanged, and still sees it.
    public var holders: [Holder] = []
    /// False if the search for holders was cut off at its deadline, or could not be made.
    public var holdersComplete = true

    public init(changelist: String?, startedAt: Int64) {
        self.changelist = changelist
        self.startedAt = startedAt
    }
}
