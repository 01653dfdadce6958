import Glibc

/// The service manager that started this process, as sd_notify(3), sd_pid_notify_with_fds(3) and sd_listen_fds(3) talk to it. Where there is
/// none, nothing happens.
public enum ServiceManager {
    /// A descriptor that the manager kept for this service.
    public struct NamedDescriptor: Sendable {
        public let name: String
        public let fd: SharedFD
    }

    /// Whether a manager listens (NOTIFY_SOCKET).
    public static var isListening: Bool {
        variable("NOTIFY_SOCKET") != nil
    }

    /// How long it waits for `WATCHDOG=1` before it takes this process for hung (WATCHDOG_USEC, sd_watchdog_enabled(3)); nil if it does not.
    public static var watchdogTimeout: Duration? {
        guard let microseconds = variable("WATCHDOG_USEC").flatMap({ Int64($0) }), microseconds > 0,
            variable("WATCHDOG_PID").map({ Int32($0) == getpid() }) ?? true
        else { return nil }
        return .microseconds(microseconds)
    }

    /// Says that the configuration is being read again; `READY=1` ends it (sd_notify(3), MONOTONIC_USEC).
    public static func notifyReloading() {
        notify("RELOADING=1\nMONOTONIC_USEC=\(Deadline.now.nanoseconds / 1000)")
    }

    /// Tells it a state, such as `READY=1` or `STOPPING=1`. A manager that does not take the message is not waited for.
    public static func notify(_ state: String) {
        notify(state, fds: [])
    }

    /// Has it keep a copy of a descriptor for the next start. `name` has at most 255 printable ASCII characters and no colon.
    public static func store(_ fd: Int32, name: String) {
        notify("FDSTORE=1\nFDNAME=\(name)", fds: [fd])
    }

    /// Has it close what it keeps under this name.
    public static func removeStored(name: String) {
        notify("FDSTOREREMOVE=1\nFDNAME=\(name)", fds: [])
    }

    /// Takes over what it kept (LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID), close-on-exec. Once, at the start: the variables are removed.
    public static func inheritedDescriptors() -> [NamedDescriptor] {
        defer { for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) } }
        guard let pid = variable("LISTEN_PID").flatMap({ Int32($0) }), pid == getpid(),
            let count = variable("LISTEN_FDS").flatMap({ Int32($0) }), count > 0, count < 65536
        else { return [] }
        let names = (variable("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (0..<count).compactMap { index in
            let number = firstDescriptor + index
            // A number that is not open is no descriptor of ours.
            guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else { return nil }
            let name = Int(index) < names.count ? String(names[Int(index)]) : "unknown"
            return NamedDescriptor(name: name, fd: SharedFD(OwnedFD(taking: number)))
        }
    }

    /// SD_LISTEN_FDS_START.
    private static let firstDescriptor: Int32 = 3

    private static func notify(_ state: String, fds: [Int32]) {
        guard let path = variable("NOTIFY_SOCKET") else { return }
        try? StreamSocket.sendDatagram(Array(state.utf8), to: path, fds: fds)
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
