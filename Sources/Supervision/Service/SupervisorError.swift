/// What a client of the supervisor is told when something cannot be done.
public struct SupervisorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, part of the API. The published API's codes keep their names.
    public enum Code: String, Sendable, CaseIterable {
        /// The request is malformed or asks for something that is not allowed.
        case invalidRequest = "INVALID_REQUEST"
        /// The body is not what the route takes.
        case badPayload = "BAD_PAYLOAD"
        /// Nobody who may do that: the role, the Host or the Origin is not right.
        case forbidden = "FORBIDDEN"
        /// A token is wanted, and was not given or is not known.
        case unauthorized = "UNAUTHORIZED"
        /// No such mount or job.
        case notFound = "NOT_FOUND"
        /// A route of the old API that is served no more; the message says where to go.
        case gone = "GONE"
        /// The path does not exist in the commit, or is no directory.
        case pathNotFound = "PATH_NOT_FOUND"
        /// The origin knows no such commit, tag or branch.
        case revisionNotFound = "REVISION_NOT_FOUND"
        /// The origin has no such changelist.
        case changelistNotFound = "CHANGELIST_NOT_FOUND"
        /// The changelist does not fit the commit it is to be applied to.
        case changelistConflict = "CHANGELIST_CONFLICT"
        /// The same job or mountpoint is in use for something else.
        case conflict = "CONFLICT"
        /// The origin cannot be reached.
        case originUnreachable = "ORIGIN_UNREACHABLE"
        /// The origin sent what cannot be trusted.
        case originCorrupt = "ORIGIN_CORRUPT"
        /// The deadline passed first.
        case timedOut = "TIMEOUT"
        /// A mount could not be made or ended; the published name is kept.
        case mountFailed = "FUSE_ERROR"
        case internalError = "INTERNAL_ERROR"
        /// No further mount is taken in now.
        case overloaded = "OVERLOADED"
        /// The supervisor is stopping.
        case shuttingDown = "SHUTDOWN"
    }

    public let code: Code
    /// What, where and what to do.
    public let message: String
    /// The error below, for the log.
    public let cause: String?
    /// Seconds after which asking again makes sense; nil where it makes none.
    public let retryAfter: Int?

    public init(_ code: Code, _ message: String, cause: String? = nil, retryAfter: Int? = nil) {
        self.retryAfter = retryAfter
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        cause.map { "\(code.rawValue): \(message) (\($0))" } ?? "\(code.rawValue): \(message)"
    }
}
