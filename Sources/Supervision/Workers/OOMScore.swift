import LinuxSystem

/// Who goes first when memory runs out (oom_score_adj, proc(5)): a job or a worker before the cache owner, and all before the supervisor.
enum OOMScore {
    /// As every other program: a worker that is killed is replaced.
    static let worker: Int32 = 0
    static let owner: Int32 = -500

    /// What a child is to get; nil if what it inherits will do. Never lower than the supervisor's own: that would need CAP_SYS_RESOURCE.
    static func raised(to wanted: Int32, from own: Int32 = Privileges.oomScore) -> Int32? {
        own < wanted ? wanted : nil
    }
}
