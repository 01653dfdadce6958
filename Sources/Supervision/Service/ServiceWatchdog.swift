import LinuxSystem

/// Tells the service manager that the supervisor lives, while it does (WatchdogSec= of systemd.service(5)).
///
/// `prove` goes through everything that has to work; only when it is through the manager is told. So one that hangs is not kept alive by a
/// thread that knows nothing of it: the manager ends it and starts the next one, which goes on with the mounts.
final class ServiceWatchdog: Sendable {
    private let prove: @Sendable () async -> Void
    private let tell: @Sendable () -> Void
    private let isProving = Guarded(false)

    init(prove: @escaping @Sendable () async -> Void, tell: @escaping @Sendable () -> Void) {
        self.prove = prove
        self.tell = tell
    }

    /// Asks for a proof, unless one is under way. Never blocks.
    func beat() {
        let isFree = isProving.with { isProving -> Bool in
            defer { isProving = true }
            return !isProving
        }
        guard isFree else { return }
        Task { [self] in
            await prove()
            tell()
            isProving.with { $0 = false }
        }
    }
}
