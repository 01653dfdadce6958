import Glibc
import LinuxSystem
import Logging
import OperatorAPI
import Supervision

/// The service from start to stop.
struct Daemon {
    let configuration: SupervisorConfiguration
    let log: StderrLogHandler

    private enum Event {
        case signal(Int32)
        case served(OperatorAPIError?)
    }

    /// Starts everything, serves until a signal ends it, takes everything down.
    func run(signals: consuming Signals) async -> ExitCode {
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
        let code = await serve(server, stop: supervisor.stop, signals)
        log.writer.flush(until: .after(.seconds(1)))
        return code
    }

    private func serve(
        _ server: OperatorAPIServer, stop: @escaping @Sendable () async -> Void, _ signals: consuming Signals
    ) async -> ExitCode {
        let (events, source) = AsyncStream<Event>.makeStream()
        Self.forward(signals) { source.yield(.signal($0)) }
        let serving = Task {
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
        log.write(.critical, message, [])
        log.writer.flush(until: .after(.seconds(1)))
        return code
    }

    /// Reads the signals on a thread of their own for as long as the process lives.
    private static func forward(_ signals: consuming Signals, to receiver: @escaping @Sendable (Int32) -> Void) {
        let signals = SignalBox(signals)
        let thread = try? SystemThread.start(name: "signals") {
            while true {
                var entry = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, -1) > 0 else { continue }
                while let number = signals.next() { receiver(number) }
            }
        }
        thread?.detach()
    }
}

/// Lets the thread that reads the signals own them.
private final class SignalBox: Sendable {
    private let signals: Signals

    init(_ signals: consuming Signals) {
        self.signals = signals
    }

    var raw: Int32 {
        signals.raw
    }

    func next() -> Int32? {
        try? signals.next()
    }
}
