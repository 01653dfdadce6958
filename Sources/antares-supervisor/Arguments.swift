import ArgumentParser
import CommandUsage
import Supervision

/// The command line of antares-supervisor.
struct Arguments: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "antares-supervisor", abstract: "Serves writable trees of a repository; see supervisor.toml.",
        version: "antares-supervisor \(ServiceVersion.current)",
        examples: [
            "antares-supervisor --config /etc/antares/supervisor.toml",
            "antares-supervisor --config supervisor.toml --check-config",
            "antares-supervisor --set origins.main.url=http://127.0.0.1:8000 --log-format json",
        ])

    @Option(help: "The configuration file. Without it, the defaults and ANTARES_* variables count.")
    var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "Overlays one key, as in `--set supervisor.spare_workers=8`. May be repeated.", valueName: "key=value"),
        transform: Overlay.init)
    var settings: [Overlay] = []

    @Flag(
        help:
            "Says what is wrong with the configuration, and with the groups and files that it names for the API, and ends."
    )
    var checkConfig = false

    @Flag(help: "Prints the configuration in force and where each value came from, and ends.")
    var showConfig = false

    @Option(
        help: "trace, debug, info, notice, warning, error or critical; wins over log_level.", transform: Self.level)
    var logLevel: LogLevel?

    /// All that overlays the file, in order.
    var flags: [(key: String, value: String)] {
        let level = logLevel.map { (key: "supervisor.log_level", value: $0.rawValue) }
        return settings.map { (key: $0.key, value: $0.value) } + [level].compactMap(\.self)
    }

    @Option(help: "text or json.")
    var logFormat: LogFormat = .text

    private static func level(_ text: String) throws -> LogLevel {
        guard let level = LogLevel(rawValue: text) else {
            throw ValidationError(
                "`\(text)` is no level; there are trace, debug, info, notice, warning, error, critical")
        }
        return level
    }

    struct Overlay: Sendable {
        let key: String
        let value: String

        init(_ text: String) throws {
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("write it as KEY=VALUE, like supervisor.spare_workers=8")
            }
            key = String(text[..<equals])
            value = String(text[text.index(after: equals)...])
        }
    }
}
