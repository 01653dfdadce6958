/// Why a request of the kernel was answered with an error that is the mount's fault (EIO, ETIMEDOUT, ESTALE, ENOSPC). The numbers are places in
/// the session memory and never change.
public enum FailureCause: Int, Sendable, CaseIterable {
    /// Not done by its deadline.
    case deadline = 0
    /// The origin cannot be reached, keeps failing or wants other credentials.
    case origin = 1
    /// The origin has no object that a tree names.
    case missing = 2
    /// What arrived, or lay in the cache, is not what it should be.
    case damaged = 3
    /// A tree holds what must not be served.
    case refused = 4
    /// The cache's disk or index failed.
    case storage = 5
    /// Neither disk nor memory has room for it.
    case noSpace = 6
    /// Too much was asked for at once.
    case overloaded = 7
    /// A message does not follow the protocol.
    case protocolError = 8
    /// No memory for a reply.
    case memory = 9
    /// The table of directories or objects is full, or the tree too deep.
    case table = 10
    /// The kernel asked for a node that does not exist.
    case stale = 11
    /// Workers died of the request.
    case poison = 12
    /// The request was dropped unanswered: a defect.
    case dropped = 13
    /// The mount was given up.
    case quarantined = 14
    /// Another defect of ours.
    case internalFailure = 15
}
