import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem
import SupervisorConfig

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Writes, checks, shows or imports the supervisor's configuration.",
        examples: [
            "antares config init --origin http://127.0.0.1:8000",
            "antares config check --config supervisor.toml",
        ],
        subcommands: [Initialise.self, Check.self, Show.self, Import.self])

    struct Source: ParsableArguments {
        @Option(help: "The configuration file; else the defaults and ANTARES_* variables.")
        var config: String?

        func validate() throws {
            if config?.isEmpty == true { throw ValidationError("--config is empty; name a file or leave it out") }
        }

        func load() throws(CLIError) -> LoadedConfiguration {
            do throws(ConfigurationError) {
                return try ConfigurationLoader.load(path: config, environment: Environment.variables)
            } catch {
                throw CLIError(error)
            }
        }
    }

    struct Initialise: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Writes a configuration with every key at its default.",
            examples: [
                "antares config init",
                "antares config init /etc/antares/supervisor.toml --origin http://127.0.0.1:8000",
            ])

        @Argument(help: "The file to write.")
        var path = "supervisor.toml"

        @Option(help: "The repository's server.")
        var origin: String?

        @Flag(help: "Replaces a file that is there.")
        var force = false

        func run() throws {
            var flags: [(key: String, value: String)] = []
            if let origin { flags.append((key: "origins.main.url", value: origin)) }
            try write(try load(flags), to: path, force: force)
        }

        private func load(_ flags: [(key: String, value: String)]) throws(CLIError) -> String {
            do throws(ConfigurationError) {
                return try ConfigurationLoader.load(text: "", name: "defaults", flags: flags).file
            } catch {
                throw CLIError(error)
            }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Says all that is wrong with a configuration.",
            discussion: "One line for each problem; variables ANTARES_* count, too.",
            examples: ["antares config check --config supervisor.toml"], aliases: ["validate"])

        @OptionGroup var source: Source

        func run() throws {
            _ = try source.load()
            Terminal.print(["\(source.config ?? "the configuration"): ok"])
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Shows a configuration, and where each value comes from.",
            examples: [
                "antares config show --running",
                "antares config show --config supervisor.toml",
            ])

        @OptionGroup var global: GlobalOptions
        @OptionGroup var source: Source

        @Flag(help: "What the running supervisor goes by, instead of what a file says.")
        var running = false

        func validate() throws {
            if global.json { throw ValidationError("`config show` prints TOML; it has no --json") }
            if running, source.config != nil { throw ValidationError("name a file or --running, not both") }
        }

        func run() throws {
            let text = running ? try global.client.configuration() : Array(try source.load().description.utf8)
            Terminal.write(String(decoding: text, as: UTF8.self), to: STDOUT_FILENO)
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Makes a configuration of a scorpio.toml.",
            discussion: "What has no counterpart is named at the end, as comments.",
            examples: ["antares config import scorpio.toml supervisor.toml"])

        @Argument(help: "The scorpio.toml.")
        var scorpio: String

        @Argument(help: "The file to write.")
        var path = "supervisor.toml"

        @Flag(help: "Replaces a file that is there.")
        var force = false

        func run() throws {
            let text: String
            do throws(ConfigurationError) {
                text = try ScorpioImport.configuration(path: scorpio)
            } catch {
                throw CLIError(error)
            }
            try write(text, to: path, force: force)
        }
    }

    fileprivate static func write(_ text: String, to path: String, force: Bool) throws(CLIError) {
        if path.isEmpty { throw CLIError(.usage, "the file's name is empty") }
        if let status = try? FileStatus(of: path), status.mode & S_IFMT != S_IFREG {
            throw CLIError(.usage, "\(path) is no regular file; name another")
        }
        if !force, access(path, F_OK) == 0 {
            throw CLIError(.usage, "\(path) is there already; name another file or give --force")
        }
        do throws(SystemError) {
            try File.replace(path, with: Array(text.utf8), mode: 0o644)
        } catch {
            throw CLIError(.internalError, "\(path) cannot be written: \(error.errno)")
        }
        Terminal.print(["\(path): written"])
    }
}

extension ParsableCommand {
    fileprivate func write(_ text: String, to path: String, force: Bool) throws(CLIError) {
        try ConfigCommand.write(text, to: path, force: force)
    }
}

extension CLIError {
    /// Each problem on a line of its own.
    init(_ error: ConfigurationError) {
        self.init(.usage, lines: error.problems.map(\.description))
    }
}
