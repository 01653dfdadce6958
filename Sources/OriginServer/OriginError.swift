public import LinuxSystem

/// Why the origin cannot start or cannot answer.
public struct OriginError: Error, Sendable, CustomStringConvertible {
    /// Stable: programs and tests may compare it.
    public enum Code: String, Sendable {
        /// No Git program, or one that is too old.
        case gitUnusable = "git-unusable"
        case notARepository = "not-a-repository"
        /// The repository does not use SHA-1.
        case objectFormat = "object-format"
        /// The address cannot be listened on.
        case bindFailed = "bind-failed"
        /// The repository has gone since the start.
        case repositoryGone = "repository-gone"
        /// Git has the object, but cannot read it.
        case objectDamaged = "object-damaged"
        /// An answer would hold more than is answered.
        case tooLarge = "too-large"
        /// A configured changelist names a revision that is not there.
        case noChangelist = "no-changelist"
        /// A Git process ended in the middle of an answer, twice.
        case gitFailed = "git-failed"
        case timedOut = "timed-out"
        /// More requests wait than may.
        case busy
        /// The reader of an answer has gone or stands still.
        case clientGone = "client-gone"
    }

    public let code: Code
    /// What, where and what to do.
    public let message: String
    public let cause: SystemError?

    public init(_ code: Code, _ message: String, cause: SystemError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        if let cause { "\(self.message) (\(cause))" } else { self.message }
    }
}
