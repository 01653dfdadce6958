import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem
import OperatorAPI
import Supervision
import SupervisorConfig

@main
struct Main {
    // Not async: an async main hands the main thread to Dispatch, which keeps a thread with no signal blocked, and that would end the
    // process with the first SIGTERM.
    static func main() {
        CrashSignals.endAtOnce()
        try? StandardDescriptors.fill()
        // First of all, so that every thread made later has the signals blocked.
        guard let signals = try? Signals([SIGTERM, SIGINT, SIGHUP]) else { exit(ExitCode.internalError.rawValue) }
        let arguments = parseArguments()
        let environment = environmentVariables()
        let load: Daemon.Load = { () throws(ConfigurationError) in
            try ConfigurationLoader.load(
                path: arguments.config, environment: environment,
                flags: arguments.flags)
        }
        let loaded: LoadedConfiguration
        do throws(ConfigurationError) {
            loaded = try load()
        } catch {
            say(error.problems.map { "\($0)\n" }.joined(), to: STDERR_FILENO)
            exit(ExitCode.configuration.rawValue)
        }
        if arguments.showConfig {
            say(loaded.description, to: STDOUT_FILENO)
            exit(ExitCode.stopped.rawValue)
        }
        if arguments.checkConfig { exit(check(loaded, name: arguments.config ?? "the configuration").rawValue) }
        do throws(SystemError) {
            try TaskThreads.install()
        } catch {
            say(
                "antares-supervisor: cannot start its threads: \(error); raise the limit of tasks (TasksMax=)\n",
                to: STDERR_FILENO)
            exit(ExitCode.internalError.rawValue)
        }
        guard let writer = try? LogWriter(fd: STDERR_FILENO, loss: arguments.logFormat.loss) else {
            exit(ExitCode.internalError.rawValue)
        }
        let log = StderrLogHandler(
            part: .supervisor, writer: writer, format: arguments.logFormat,
            levels: LogLevels(loaded.configuration), ring: LogRing())
        let daemon = Daemon(loaded, log: log, signals: signals, load: load)
        guard let finished = try? EventCounter(semaphore: true) else { exit(ExitCode.internalError.rawValue) }
        let code = Guarded(ExitCode.internalError)
        Task.detached {
            let result = await daemon.run()
            code.with { $0 = result }
            finished.add()
        }
        finished.wait()
        exit(code.with { $0 }.rawValue)
    }

    /// What the configuration names of this machine has to be there, too.
    private static func check(_ loaded: LoadedConfiguration, name: String) -> ExitCode {
        do throws(OperatorAPIError) {
            try OperatorAPIServer.check(loaded.configuration)
        } catch {
            for line in error.message.split(separator: "\n") { say("\(name): \(line)\n", to: STDERR_FILENO) }
            return ExitCode(error)
        }
        say("\(name): ok\n", to: STDOUT_FILENO)
        return .stopped
    }

    private static func parseArguments() -> Arguments {
        do {
            return try Arguments.parse()
        } catch {
            if Arguments.exitCode(for: error).isSuccess {
                say(Arguments.fullMessage(for: error) + "\n", to: STDOUT_FILENO)
                exit(ExitCode.stopped.rawValue)
            }
            let problem = UsageLine.text(error, of: Arguments.self, Array(CommandLine.arguments.dropFirst()))
            say("antares-supervisor: \(TerminalText.line(problem))\n", to: STDERR_FILENO)
            exit(ExitCode.configuration.rawValue)
        }
    }

    private static func environmentVariables() -> [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }

    private static func say(_ text: String, to fd: Int32) {
        var text = text
        text.withUTF8 { try? File.write(fd, UnsafeRawBufferPointer($0)) }
    }
}
