import Glibc
import LinuxSystem
import Logging
import OperatorAPI
import Supervision
import SupervisorConfig

/// The service from start to stop.
final class Daemon: Sendable {
    /// Reads the configuration from where it was read at the start.
    typealias Load = @Sendable () throws(ConfigurationError) -> LoadedConfiguration

    private let loaded: LoadedConfiguration
    private let log: StderrLogHandler
    private let signals: Signals
    private let load: Load
    /// As it was read last.
    private let inForce: Guarded<LoadedConfiguration>

    init(_ loaded: LoadedConfiguration, log: StderrLogHandler, signals: consuming Signals, load: @escaping Load) {
        self.loaded = loaded
        inForce = Guarded(loaded)
        self.log = log
        self.signals = signals
        self.load = load
    }

    private enum Event {
        case signal(Int32)
        case served(OperatorAPIError?)
    }

    /// Starts everything, serves until a signal ends it, takes everything down.
    func run() async -> ExitCode {
        let logger = Logger(label: LogPart.api.rawValue) { [log] _ in log.of(.api) }
        let audit = Logger(label: LogPart.audit.rawValue) { [log] _ in log.of(.audit) }
        let configuration = loaded.configuration
        // Before a mount is adopted: a configuration that does not do ends nothing that runs.
        do throws(OperatorAPIError) {
            try OperatorAPIServer.check(configuration)
        } catch {
            return failed(error.message, ExitCode(error))
        }
        let supervisor: Supervisor
        ServiceManager.notify("STATUS=starting: checks the machine and adopts the mounts of an earlier supervisor")
        do throws(SupervisorError) {
            supervisor = try await Supervisor.start(configuration: configuration, log: ServiceLog(handler: log))
        } catch {
            return failed("\(error.message)\(error.cause.map { " (\($0))" } ?? "")", ExitCode(error))
        }
        if let listen = configuration.listen, configuration.authentication == .none {
            log.write(
                .warning, "the API over TCP asks nobody who they are: every process of this machine may do everything",
                [("listen", listen)])
        }
        if let timeout = ServiceManager.watchdogTimeout, timeout < ManagerReports.leastWatchdog {
            log.write(
                .warning, "the service manager's watchdog is too short: a busy machine would have the supervisor ended",
                [("WatchdogSec", "\(timeout)"), ("least", "\(ManagerReports.leastWatchdog)")])
        }
        let server = OperatorAPIServer(
            configuration: configuration, service: supervisor, logger: logger, audit: audit, ring: log.ring,
            inForce: { [inForce] in inForce.with { $0 }.description })
        let code = await serve(server, supervisor)
        log.writer.flush(until: .after(.seconds(1)))
        return code
    }

    private func serve(_ server: OperatorAPIServer, _ supervisor: Supervisor) async -> ExitCode {
        let (events, source) = AsyncStream<Event>.makeStream()
        forwardSignals { source.yield(.signal($0)) }
        let manager = ManagerReports(supervisor: supervisor, server: server)
        let serving = Task { [log] in
            do throws(OperatorAPIError) {
                try await server.run {
                    log.write(.notice, "ready", [("version", OperatorAPIServer.version), ("pid", "\(getpid())")])
                    await manager.ready()
                }
                source.yield(.served(nil))
            } catch {
                source.yield(.served(error))
            }
        }
        var current = loaded
        var code = ExitCode.stopped
        waiting: for await event in events {
            switch event {
            case .signal(SIGHUP):
                ServiceManager.notifyReloading()
                current = await reload(current, supervisor, server)
                ServiceManager.notify("READY=1")
            case .signal(let number):
                log.write(.notice, "stopping", [("signal", "\(number)")])
                break waiting
            case .served(let error):
                if let error { code = failed(error.message, ExitCode(error)) }
                break waiting
            }
        }
        manager.stopping(limit: current.configuration.unmountTimeout)
        await server.stop()
        await supervisor.stop()
        await serving.value
        return code
    }

    /// The configuration in force afterwards. One with a problem changes nothing.
    private func reload(
        _ current: LoadedConfiguration, _ supervisor: Supervisor, _ server: OperatorAPIServer
    ) async -> LoadedConfiguration {
        let new: LoadedConfiguration
        do throws(ConfigurationError) {
            new = try load()
        } catch {
            for problem in error.problems { log.write(.error, "\(problem)", []) }
            log.write(.error, "the configuration stays as it was", [])
            return current
        }
        let reload = ConfigurationReload(from: current, to: new)
        do throws(OperatorAPIError) {
            try server.reload(reload.result.configuration)
        } catch {
            log.write(.error, error.message, [])
            log.write(.error, "the configuration stays as it was", [])
            return current
        }
        log.levels.replace(reload.result.configuration)
        inForce.with { $0 = reload.result }
        if !reload.applied.isEmpty {
            await supervisor.reload(reload.result.configuration, changed: reload.applied)
        }
        log.write(
            .notice, "the configuration was read again",
            [("changed", reload.applied.isEmpty ? "nothing" : reload.applied.joined(separator: " "))])
        if !reload.postponed.isEmpty {
            log.write(
                .warning, "these keys count after a restart", [("keys", reload.postponed.joined(separator: " "))])
        }
        return reload.result
    }

    private func failed(_ message: String, _ code: ExitCode) -> ExitCode {
        for line in message.split(separator: "\n") { log.write(.critical, String(line), []) }
        log.writer.flush(until: .after(.seconds(1)))
        return code
    }

    /// Reads the signals on a thread of their own for as long as the process lives.
    private func forwardSignals(to receiver: @escaping @Sendable (Int32) -> Void) {
        let thread = try? SystemThread.start(name: "signals") { [self] in
            while true {
                var entry = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, -1) > 0 else { continue }
                while let number = try? signals.next() { receiver(number) }
            }
        }
        thread?.detach()
    }
}
