import Glibc

/// What to start and as whom.
public struct ProcessSpec: Sendable {
    /// Absolute path of the program.
    public var path: String
    /// The arguments after the program's name.
    public var arguments: [String]
    /// The whole environment, `NAME=value`.
    public var environment: [String]
    /// Descriptor i of the caller becomes `fds[i]`'s index in the child; nil is /dev/null. All others are closed in the child.
    public var fds: [Int32?]
    /// nil keeps the caller's.
    public var directory: String?
    public var uid: UInt32?
    public var gid: UInt32?
    /// setsid(2): the child is in no terminal's or shell's process group.
    public var newSession = true
    /// The nice value the program starts with; nil: that of the thread that starts it.
    public var nice: Int32?
    /// prctl(2) PR_SET_NO_NEW_PRIVS.
    public var noNewPrivileges = true
    /// Signals that the caller ignores stay ignored in the child (for commands run on somebody's behalf); else all are reset.
    public var keepsIgnoredSignals = false
    /// Bytes the child may lock in memory; nil keeps the caller's limit.
    public var memoryLockLimit: UInt64?
    public var openFileLimit: UInt64?
    /// Written to oom_score_adj; nil keeps the caller's.
    public var oomScoreAdjust: Int32?

    public init(path: String, arguments: [String] = [], environment: [String] = [], fds: [Int32?] = [nil, nil, 2]) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.fds = fds
    }
}
