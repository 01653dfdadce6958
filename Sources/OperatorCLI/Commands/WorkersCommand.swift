import ArgumentParser
import CommandUsage

struct WorkersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract:
            "Shows every process: what it serves, how busy it is, what it takes, who has its mount's descriptors.",
        discussion: "Answers while workers hang: it reads the supervisor's memory and /proc.",
        examples: ["antares workers", "antares workers --json"])

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let answer = try global.client.status()
        if global.json { return Terminal.print(json: answer.json) }
        Terminal.print(Presentation.processTable(answer.value.processes))
    }
}
