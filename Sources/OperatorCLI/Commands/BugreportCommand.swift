import ArgumentParser
import CommandUsage
import FoundationEssentials
import Glibc
import LinuxSystem
import Supervision
import SupervisorConfig

struct BugreportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bugreport",
        abstract: "Packs what somebody needs who is to find out what is wrong into one archive.",
        discussion: """
            Configuration, status, metrics, events, the last lines of the log, findings of doctor, the mount table, and of each \
            process its threads and where they wait. No contents of files, no tokens: of secrets only the names of their files. \
            Ends within half a minute, whatever hangs; what could not be had is named in the archive.
            """,
        examples: [
            "antares bugreport   # antares-bugreport.tar.gz, here",
            "antares bugreport /tmp/report.tar.gz --config /etc/antares/supervisor.toml",
        ])

    @OptionGroup var global: GlobalOptions

    @Option(help: "The supervisor's configuration; else that of the running one.")
    var config: String?

    @Argument(help: "The archive to write.")
    var file = "antares-bugreport.tar.gz"

    func validate() throws {
        if file.isEmpty { throw ValidationError("the archive's name is empty") }
    }

    func run() throws {
        let report = BugReport(config: config, socket: try global.localSocket(for: "bugreport"))
        do throws(SystemError) {
            try report.write(to: file)
        } catch {
            throw CLIError(.internalError, "\(file) cannot be written: \(error)")
        }
        if global.json { return Terminal.print(json: Array((try? JSONEncoder().encode(["file": file])) ?? Data())) }
        Terminal.print([file])
    }
}
