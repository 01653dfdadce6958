import ArgumentParser
import CommandUsage
import Supervision
import SupervisorConfig

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what is wrong with the machine, the supervisor and the mounts, and what to do.",
        discussion: """
            Works without a supervisor, and ends within 10 s whatever hangs. Exit code 0 if nothing failed (warnings are no \
            failures), 1 if something did, 2 if the configuration cannot be read.
            """,
        examples: ["antares doctor", "antares doctor --config supervisor.toml --json"])

    @OptionGroup var global: GlobalOptions

    @Option(
        help: "The supervisor's configuration; else that of the running one, else the defaults and ANTARES_* variables."
    )
    var config: String?

    func run() throws {
        let named = try global.localSocket(for: "doctor")
        let inForce: ConfigurationInForce
        do throws(ConfigurationError) {
            inForce = try ConfigurationInForce(file: config, socket: named ?? GlobalOptions.defaultSocket)
        } catch {
            throw CLIError(error)
        }
        let checks = Doctor(inForce, socket: inForce.socket(named: named)).examine()
        if global.json {
            Terminal.print(json: DoctorReport(checks).json)
        } else {
            Terminal.print(Self.lines(checks))
        }
        if checks.contains(where: { $0.outcome == .failure }) {
            throw ArgumentParser.ExitCode(CLIExit.internalError.rawValue)
        }
    }

    static func lines(_ checks: [Check]) -> [String] {
        let width = checks.map(\.name.count).max() ?? 0
        return checks.flatMap { check in
            let pad = String(repeating: " ", count: 9 - check.outcome.rawValue.count)
            let name = check.name + String(repeating: " ", count: width - check.name.count)
            let line = "\(check.outcome.rawValue)\(pad)\(Printable.text(name))  \(Printable.text(check.what))"
            let indent = String(repeating: " ", count: 9 + width + 2)
            return check.fix.isEmpty ? [line] : [line, indent + "→ " + Printable.text(check.fix)]
        }
    }
}
