import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem
import Logging
import OriginServer

@main
struct Main {
    static func main() {
        let command: OriginCommand
        do {
            command = try OriginCommand.parse()
        } catch {
            if OriginCommand.exitCode(for: error).isSuccess {
                Terminal.write(OriginCommand.fullMessage(for: error), to: 1)
                exit(0)
            }
            let arguments = Array(CommandLine.arguments.dropFirst())
            Terminal.write(
                "antares-origin: " + TerminalText.line(UsageLine.text(error, of: OriginCommand.self, arguments)))
            exit(ExitCode.usage)
        }
        command.serve()
    }
}
