import CacheProtocol
import LinuxSystem
import WorkerProtocol

/// Why an operation is answered with an error: the number for the job and the cause for the log.
struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    let errno: Errno
    let cause: String
    /// What it is counted as.
    let kind: FailureCause

    /// `kind` goes by `errno` if it is left out.
    init(_ errno: Errno, _ cause: String, _ kind: FailureCause? = nil) {
        self.errno = errno
        self.cause = cause
        self.kind = kind ?? Self.kind(of: errno)
    }

    private static func kind(of errno: Errno) -> FailureCause {
        switch errno {
        case .timedOut: .deadline
        case .stale: .stale
        case .noSpace: .noSpace
        default: .internalFailure
        }
    }

    /// The one place where the cache owner's errors become error numbers. Inside a pinned tree an object that is missing is a failure,
    /// never an absence: ENOENT would let a build believe that the file does not exist.
    init(_ error: CacheError) {
        errno =
            switch error.code {
            case .timedOut: .timedOut
            case .cancelled: .interrupted
            case .noSpace: .noSpace
            case .notFound, .notADirectory, .unknownRevision, .unknownOrigin, .unreachable, .corrupt, .refused,
                .unauthorized, .storage, .overloaded, .invalidRequest, .internalFailure, .unknownChangelist,
                .changelistConflict, .changelistMisplaced:
                .ioError
            }
        cause = error.description
        kind =
            switch error.code {
            case .notFound, .notADirectory: .missing
            case .unreachable, .unauthorized, .unknownOrigin, .unknownRevision, .unknownChangelist,
                .changelistConflict, .changelistMisplaced:
                .origin
            case .timedOut: .deadline
            case .corrupt: .damaged
            case .refused: .refused
            case .storage: .storage
            case .noSpace: .noSpace
            case .overloaded: .overloaded
            case .invalidRequest: .protocolError
            case .internalFailure, .cancelled: .internalFailure
            }
    }

    init(_ refusal: NodeTable.Refusal, _ node: UInt64) {
        switch refusal {
        case .full: self.init(.ioError, "the table of directories is full (node \(node))", .table)
        case .tooDeep:
            self.init(.ioError, "deeper than \(NodeTable.maximumDepth) directories (node \(node))", .table)
        }
    }

    /// The backstop: the cache owner has not answered by its deadline.
    static let unanswered = Failure(.timedOut, "no answer from the cache owner before the deadline")
    static let interrupted = Failure(.interrupted, "interrupted")

    /// Whether it is the mount that failed, and not the request that was wrong or taken back.
    var counts: Bool {
        errno == .ioError || errno == .timedOut || errno == .stale || errno == .noSpace
    }

    var description: String {
        "\(errno): \(cause)"
    }
}
