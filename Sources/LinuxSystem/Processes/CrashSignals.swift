import Glibc

/// How a process ends by a defect of its own.
public enum CrashSignals {
    private static let all = [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]

    /// Lets a crash end the process at once. On a machine with a toolchain Swift's runtime would stop all threads and start
    /// `swift-backtrace`, which takes many seconds: so long the process is neither alive nor dead, and nobody replaces it. Call before any
    /// thread is started. Whoever sets `SWIFT_BACKTRACE` wants the backtrace and gets it.
    public static func endAtOnce() {
        guard getenv("SWIFT_BACKTRACE") == nil else { return }
        for number in all { signal(number, SIG_DFL) }
    }
}
