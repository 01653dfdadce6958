import Glibc

/// Limits of the calling process, and its place among others.
public enum Privileges {
    /// Raises the soft limit of open files to the hard limit; the limit that holds now.
    @discardableResult
    public static func raiseOpenFileLimit() -> UInt64 {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return UInt64(limit.rlim_cur)
    }

    /// The process's oom_score_adj (proc(5)).
    public static var oomScore: Int32 {
        (try? File.text("/proc/self/oom_score_adj")).flatMap { Int32($0.filter { $0 == "-" || $0.isNumber }) } ?? 0
    }
}
