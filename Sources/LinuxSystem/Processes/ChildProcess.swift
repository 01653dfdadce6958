import CAntares
import Glibc

/// A process this one started, or adopted, held by a pidfd: signals and waiting cannot hit a stranger with a reused pid.
public final class ChildProcess: Sendable {
    public let identity: ProcessIdentity
    private let file: OwnedFD

    /// A process that runs already (pidfd_open(2)); ESRCH if it has ended. It need not be a child.
    public init(adopting pid: Int32) throws(SystemError) {
        file = OwnedFD(taking: try check(ant_pidfd_open(pid), "pidfd_open", "\(pid)"))
        // If it is alive after its start time was read, what was read is its own and not that of a successor with the same pid.
        guard let identity = ProcessIdentity(of: pid), !Self.hasEnded(file.raw) else {
            throw SystemError(.noSuchProcess, "pidfd_open", "\(pid)")
        }
        self.identity = identity
    }

    private init(identity: ProcessIdentity, file: consuming OwnedFD) {
        self.identity = identity
        self.file = file
    }

    public var pid: Int32 {
        identity.pid
    }

    /// Readable (poll(2)) once the process has ended.
    public var pidfd: Int32 {
        file.raw
    }

    /// pidfd_send_signal(2). A process that has ended is no error.
    public func signal(_ number: Int32) {
        _ = ant_pidfd_send_signal(file.raw, number)
    }

    /// Waits for the end without reaping; false when the deadline passed first.
    public func waitForEnd(until deadline: Deadline) -> Bool {
        while true {
            var entry = pollfd(fd: file.raw, events: Int16(POLLIN), revents: 0)
            let n = poll(&entry, 1, deadline.pollTimeout)
            if n > 0 { return true }
            if n == 0 && deadline.hasPassed { return false }
        }
    }

    private static func hasEnded(_ pidfd: Int32) -> Bool {
        var entry = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    /// Reaps an ended child. Nil while it runs; `.unknown` if it is not a child of this process (adopted) and has ended.
    public func reap() -> ExitStatus? {
        var code: Int32 = 0
        var signal: Int32 = 0
        switch ant_reap(file.raw, &code, &signal) {
        case 1: return signal == 0 ? .code(code) : .signal(signal)
        case 0: return nil
        default: return waitForEnd(until: .now) ? .unknown : nil
        }
    }

    /// Whether a child was stopped by a signal and has not gone on (waitid(2), WSTOPPED). False for a process that is not our child.
    public var isStopped: Bool {
        ant_is_stopped(file.raw) == 1
    }

    /// A duplicate of a descriptor of that process (pidfd_getfd(2)); it works on a stopped process, too.
    public func duplicateFD(_ number: Int32) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try check(ant_pidfd_getfd(file.raw, number), "pidfd_getfd", "\(pid)"))
    }

    /// Starts a program (clone(2) with CLONE_VM, CLONE_VFORK and CLONE_PIDFD, then execve(2)); milliseconds whatever the size of the
    /// caller. The error names the step that failed in the child.
    public static func spawn(_ spec: ProcessSpec) throws(SystemError) -> ChildProcess {
        let arguments = CStrings([spec.path] + spec.arguments)
        let environment = CStrings(spec.environment)
        let fds = spec.fds.map { $0 ?? -1 }
        var pidfd: Int32 = -1
        var step: UnsafePointer<CChar>?
        let pid = spec.path.withCString { path in
            spec.directory.withOptionalCString { directory in
                fds.withUnsafeBufferPointer { fds in
                    var what = ant_spawn_request()
                    what.path = path
                    what.argv = arguments.pointer
                    what.envp = environment.pointer
                    what.fds = fds.baseAddress
                    what.fd_count = Int32(fds.count)
                    what.directory = directory
                    what.uid = spec.uid ?? UInt32.max
                    what.gid = spec.gid ?? UInt32.max
                    what.nice = spec.nice ?? 0
                    what.keep_nice = spec.nice == nil ? 1 : 0
                    what.new_session = spec.newSession ? 1 : 0
                    what.no_new_privileges = spec.noNewPrivileges ? 1 : 0
                    what.keep_ignored_signals = spec.keepsIgnoredSignals ? 1 : 0
                    what.memlock_limit = spec.memoryLockLimit ?? 0
                    what.nofile_limit = spec.openFileLimit ?? 0
                    what.oom_score_adjust = spec.oomScoreAdjust ?? 0
                    what.keep_oom_score = spec.oomScoreAdjust == nil ? 1 : 0
                    return ant_spawn(&what, &pidfd, &step)
                }
            }
        }
        if pid == -1 {
            let error = Errno.current
            throw SystemError(error, "spawn", spec.path, detail: step.map { String(cString: $0) } ?? "")
        }
        let identity = ProcessIdentity(of: pid) ?? ProcessIdentity(pid: pid, startTime: 0)
        return ChildProcess(identity: identity, file: OwnedFD(taking: pidfd))
    }
}

/// How a process ended.
public enum ExitStatus: Hashable, Sendable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)
    /// It was not our child, so only the end itself is known.
    case unknown

    public var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let number): "signal \(number)"
        case .unknown: "unknown (not a child)"
        }
    }
}
