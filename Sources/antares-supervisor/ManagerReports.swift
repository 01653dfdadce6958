import LinuxSystem
import OperatorAPI
import Supervision

/// What the service manager hears of this process (sd_notify(3)): ready, its state in a line, that it lives, that it ends.
struct ManagerReports: Sendable {
    /// Between two lines of the state, however much happens.
    static let statusInterval: Duration = .seconds(1)
    /// What an orderly end may take besides the unmounts.
    static let stopAllowance: Duration = .seconds(30)

    /// A proof of life goes through everything; on a machine that is busy with builds it takes its time.
    static let leastWatchdog: Duration = .seconds(5)

    let supervisor: Supervisor
    let server: OperatorAPIServer

    /// The API accepts connections.
    func ready() async {
        ServiceManager.notify("READY=1\nSTATUS=\(await supervisor.summary())")
        guard ServiceManager.isListening else { return }
        if let timeout = ServiceManager.watchdogTimeout {
            supervisor.watchLife(every: timeout / 2, through: { [server] in await server.proveLife() }) {
                ServiceManager.notify("WATCHDOG=1")
            }
        }
        Task { [supervisor] in await Self.tellStatus(of: supervisor) }
    }

    func stopping(limit: Duration) {
        let microseconds = (limit + Self.stopAllowance).nanoseconds / 1000
        ServiceManager.notify("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=\(microseconds)")
    }

    /// Only when something happened, so that an idle machine is not woken.
    private static func tellStatus(of supervisor: Supervisor) async {
        var last = ""
        for await _ in supervisor.events.subscribe(after: nil) {
            let line = await supervisor.summary()
            if line != last { ServiceManager.notify("STATUS=\(line)") }
            last = line
            try? await Pause.sleep(for: statusInterval)
        }
    }
}
