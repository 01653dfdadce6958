import CAntares
import Glibc

/// What a process gives up at its start, so that whoever takes it over can do less: capabilities, new privileges, being read by its equals,
/// and the system calls that it does not need (seccomp(2)). For ever, and for all its threads.
public enum Hardening {
    public enum Profile: Sendable {
        /// Descriptors that it was given, memory and threads: no files, no sockets, no signals to others.
        case worker
        /// Files and IP sockets besides; no programs.
        case cacheOwner
    }

    /// `off` in this variable of a process leaves it as it is: the supervisor's one switch, for machines where it does harm.
    public static let variable = "ANTARES_HARDENING"

    public static var isSwitchedOff: Bool {
        getenv(variable).map { String(cString: $0) == "off" } ?? false
    }

    /// Applies a profile, unless it is switched off. The error names the step that failed.
    public static func apply(_ profile: Profile) throws(SystemError) {
        if isSwitchedOff { return }
        var step: UnsafePointer<CChar>?
        let result = ant_harden(profile == .worker ? ANT_PROFILE_WORKER : ANT_PROFILE_CACHE_OWNER, &step)
        guard result != 0 else { return }
        let error = Errno.current
        let name = step.map { String(cString: $0) } ?? ""
        throw SystemError(error, "harden", name, detail: "\(variable)=off leaves it out")
    }
}
