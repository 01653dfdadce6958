import ArgumentParser
import CommandUsage
import Supervision

/// The root of the command line.
struct Antares: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "antares",
        abstract: "Writable trees of a repository, mounted in milliseconds.",
        discussion: """
            Exit codes: 0 ok, 1 internal error or no supervisor, 2 usage, 3 mount or unmount failed, 5 not found, 6 origin \
            unreachable. `antares run` ends with its command's code.
            """,
        version: "antares \(ServiceVersion.current)",
        examples: [
            "antares mount ci-4711 --rev v1.2   # prints the mountpoint",
            "antares run --rev v1.2 -- make -j8   # mounts, runs, unmounts",
            "antares list --watch",
            "antares umount ci-4711",
        ],
        subcommands: [
            MountCommand.self, UnmountCommand.self, SwitchCommand.self, ResetCommand.self, ListCommand.self,
            StatusCommand.self, DiffCommand.self, WorkersCommand.self, EventsCommand.self, LogsCommand.self,
            RunCommand.self, CacheCommand.self,
            DoctorCommand.self,
            RenewCommand.self,
            DrainCommand.self, ConfigCommand.self, BugreportCommand.self, ServeCommand.self, CompletionsCommand.self,
        ])
}
