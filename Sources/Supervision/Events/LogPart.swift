/// Who writes a line of the log; each may have a level of its own (`log_levels`).
public enum LogPart: String, Sendable, CaseIterable {
    /// The supervisor itself: mounts, processes, configuration.
    case supervisor
    /// The server of the API.
    case api
    /// A line for each call that changes something.
    case audit
    /// The workers' own lines.
    case worker
    /// The cache owner's own lines.
    case cache
}
