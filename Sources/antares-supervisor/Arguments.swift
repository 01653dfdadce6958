import ArgumentParser
import Supervision

/// The command line of antares-supervisor.
struct Arguments: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "antares-supervisor", abstract: "Serves writable trees of a repository; see supervisor.toml.")

    @Option(help: "The configuration file. Without it, the defaults and ANTARES_* variables count.")
    var config: String?

    @Option(
        name: .customLong("set"), help: "Overlays one key, as in `--set supervisor.spare_workers=8`. May be repeated.")
    var settings: [Overlay] = []

    @Flag(help: "Says what is wrong with the configuration, and ends.")
    var checkConfig = false

    @Flag(help: "Prints the configuration in force and where each value came from, and ends.")
    var showConfig = false

    @Option(
        help: "trace, debug, info, notice, warning, error or critical; wins over log_level.", transform: Self.level)
    var logLevel: LogLevel?

    @Option(help: "text or json.")
    var logFormat: LogFormat = .text

    private static func level(_ text: String) throws -> LogLevel {
        guard let level = LogLevel(rawValue: text) else {
            throw ValidationError("`\(text)` is no level of the log")
        }
        return level
    }

    struct Overlay: ExpressibleByArgument, Sendable {
        let key: String
        let value: String

        init?(argument: String) {
            guard let equals = argument.firstIndex(of: "=") else { return nil }
            key = String(argument[..<equals])
            value = String(argument[argument.index(after: equals)...])
        }
    }
}
