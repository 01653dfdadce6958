import ArgumentParser
import CommandUsage
import LinuxSystem
import Supervision

struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Shows the last lines of the log, those of workers and cache owner too, from memory.",
        examples: [
            "antares logs ci-4711   # what is about a job or a mount's id",
            "antares logs --level warning   # only what matters",
        ])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id; else everything.", completion: .mounts)
    var mount: String?

    @Option(parsing: .unconditional, help: "How many lines, at most \(LogRing.capacity).")
    var lines = 200

    @Option(
        help: "Only this level and above: trace, debug, info, notice, warning, error or critical.",
        completion: .list(["trace", "debug", "info", "notice", "warning", "error", "critical"]), transform: Self.level)
    var level: LogLevel?

    private static func level(_ text: String) throws -> LogLevel {
        guard let level = LogLevel(rawValue: text) else {
            throw ValidationError(
                "`\(text)` is no level; there are trace, debug, info, notice, warning, error, critical")
        }
        return level
    }

    func validate() throws {
        if mount?.isEmpty == true { throw ValidationError("the mount's name is empty; name its id or its job") }
        guard (1...LogRing.capacity).contains(lines) else {
            throw ValidationError("--lines takes a number from 1 to \(LogRing.capacity), not \(lines)")
        }
    }

    func run() throws {
        let answer = try global.client.logs(about: mount, lines: lines, level: level?.rawValue)
        // One that was never there is an error; one of which nothing was written is not.
        if let mount, answer.value.lines.isEmpty { _ = try global.client.mount(mount) }
        if global.json { return Terminal.print(json: answer.json) }
        Terminal.print(
            answer.value.lines.map { line in
                let fields = line.fields.sorted { $0.key < $1.key }.map { " \($0.key)=\(FieldText.value($0.value))" }
                let message = FieldText.line(line.message)
                return Printable.text(
                    "\(Printable.time(line.time)) \(line.level) \(line.part) \(message)\(fields.joined())")
            })
    }
}
