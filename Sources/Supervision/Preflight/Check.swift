/// What one check of the machine found.
public struct Check: Hashable, Sendable {
    public enum Outcome: String, Hashable, Sendable, CaseIterable {
        case ok, warning, failure
    }

    /// What a start that fails for this is called (the exit codes of antares-supervisor).
    public enum Topic: Hashable, Sendable {
        case machine
        case configuration
        /// A lock, socket or port that another process has.
        case address
    }

    /// Short and stable: `kernel`, `overlay`, `mount <job>`.
    public let name: String
    public let outcome: Outcome
    public let topic: Topic
    /// What was found.
    public let what: String
    /// What to do about it; empty if all is well.
    public let fix: String

    public init(_ name: String, _ outcome: Outcome, _ what: String, fix: String = "", topic: Topic = .machine) {
        self.name = name
        self.outcome = outcome
        self.what = what
        self.fix = fix
        self.topic = topic
    }

    static func ok(_ name: String, _ what: String) -> Check {
        Check(name, .ok, what)
    }
}
