import Glibc
import LinuxSystem
import Logging
import OperatorAPI
import Supervision

/// The service from start to stop.
final class Daemon: Sendable {
    private let configuration: SupervisorConfiguration
    private let log: StderrLogHandler
    private let signals: Signals

    init(configuration: SupervisorConfiguration, log: StderrLogHandler, signals: consuming Signals) {
        self.configuration = configuration
        self.log = log
        self.signals = signals
    }

    private enum Event {
        case signal(Int32)
        case served(OperatorAPIError?)
    }

    /// Starts everything, serves until a signal ends it, takes everything down.
    func run() async -> ExitCode {
        let logger = Logger(label: "api") { [log] _ in log }
        let supervisor: Supervisor
        do throws(OperatorAPIError) {
            try OperatorAPIServer.checkSocket(configuration)
        } catch {
            return failed(error.message, ExitCode(error))
        }
        do throws(SupervisorError) {
            supervisor = try await Supervisor.start(configuration: configuration, log: ServiceLog(handler: log))
        } catch {
            return failed("\(error.message)\(error.cause.map { " (\($0))" } ?? "")", ExitCode(error))
        }
        if configuration.origins.isEmpty {
            log.write(.warning, "no origin is configured, so nothing can be mounted: add [origins.NAME]", [])
        }
        if let listen = configuration.listen {
            log.write(.warning, "the API over TCP asks nobody who they are", [("listen", listen)])
        }
        let server = OperatorAPIServer(configuration: configuration, service: supervisor, logger: logger)
        let code = await serve(server, stop: supervisor.stop)
        log.writer.flush(until: .after(.seconds(1)))
        return code
    }

    private func serve(
        _ server: OperatorAPIServer, stop: @escaping @Sendable () async -> Void
    ) async -> ExitCode {
        let (events, source) = AsyncStream<Event>.makeStream()
        forwardSignals { source.yield(.signal($0)) }
        let serving = Task { [log] in
            do throws(OperatorAPIError) {
                try await server.run {
                    log.writer.write("ready")
                    ServiceManager.notify("READY=1")
                }
                source.yield(.served(nil))
            } catch {
                source.yield(.served(error))
            }
        }
        var code = ExitCode.stopped
        waiting: for await event in events {
            switch event {
            case .signal(SIGHUP):
                log.write(.notice, "SIGHUP: the configuration is read only at the start; restart to change it", [])
            case .signal(let number):
                log.write(.notice, "stopping", [("signal", "\(number)")])
                break waiting
            case .served(let error):
                if let error { code = failed(error.message, ExitCode(error)) }
                break waiting
            }
        }
        ServiceManager.notify("STOPPING=1")
        await server.stop()
        await stop()
        await serving.value
        return code
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
