import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Shows what a job wrote: how its mount differs from the commit.",
        discussion: """
            A path, M path, D path, R from -> to: added, modified, deleted, renamed. A directory that was deleted or renamed is one \
            line. Odd names are in quotes, with escapes as in C. In an archive what was deleted is .wh.NAME, as in layers of containers.
            """,
        examples: [
            "antares diff ci-4711",
            "antares diff ci-4711 --name-only --null | xargs -0 ls -ld",
            "antares diff ci-4711 --tar changes.tar   # for another tree",
            "antares diff ci-4711 --tar - | ssh host tar -x",
        ])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id.", completion: .mounts)
    var mount: String

    @Flag(help: "Paths alone; of what was renamed the new one.")
    var nameOnly = false

    @Flag(name: [.customShort("z"), .long], help: "With --name-only: paths as they are, each followed by a NUL.")
    var null = false

    @Option(
        help: ArgumentHelp(
            "Writes a tar archive of all that is new, changed or renamed, and of what is gone; - is standard output.",
            valueName: "file"),
        completion: .file(extensions: ["tar"]))
    var tar: String?

    func validate() throws {
        if [global.json, nameOnly, tar != nil].count(where: { $0 }) > 1 {
            throw ValidationError("--json, --name-only and --tar exclude each other")
        }
        if tar?.isEmpty == true { throw ValidationError("--tar takes a file, or - for standard output; it is empty") }
        if null, !nameOnly { throw ValidationError("--null is for --name-only") }
    }

    func run() throws {
        let client = global.client
        let mount = try client.mount(mount).value
        let answer = try client.difference(mount.id)
        let difference = answer.value
        if global.json {
            Terminal.print(json: answer.json)
        } else if let tar {
            guard !difference.truncated else { throw tooMany(difference) }
            return try ArchiveFile.write(difference.changes, of: mount.mountpoint, to: tar)
        } else if null {
            let bytes: [UInt8] = difference.changes.flatMap { $0.path + [0] }
            bytes.withUnsafeBytes { try? File.write(STDOUT_FILENO, $0) }
        } else {
            Terminal.print(difference.changes.map(nameOnly ? { QuotedPath.text($0.path) } : Presentation.change))
        }
        if difference.truncated { throw tooMany(difference) }
    }

    private func tooMany(_ difference: DifferenceReport) -> CLIError {
        CLIError(
            .internalError,
            "these are \(difference.changes.count) of \(difference.total) changes; the supervisor tells no more")
    }
}

extension Presentation {
    static func change(_ change: DifferenceReport.Change) -> String {
        switch change.kind {
        case .added: "A " + QuotedPath.text(change.path)
        case .modified: "M " + QuotedPath.text(change.path)
        case .deleted: "D " + QuotedPath.text(change.path)
        case .renamed: "R \(QuotedPath.text(change.from ?? [])) -> \(QuotedPath.text(change.path))"
        }
    }
}
