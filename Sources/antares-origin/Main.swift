import ArgumentParser
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
            let text = OriginCommand.fullMessage(for: error)
            let asked = OriginCommand.exitCode(for: error) == .success
            Terminal.write(text, to: asked ? 1 : 2)
            exit(asked ? 0 : ExitCode.usage)
        }
        command.serve()
    }
}
