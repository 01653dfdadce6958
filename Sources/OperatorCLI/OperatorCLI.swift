import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem
import SupervisorConfig

/// The `antares` command.
public enum OperatorCLI {
    /// Runs the command line (without the program's name) and answers the process's exit code.
    public static func main(_ arguments: [String]) -> Int32 {
        let code = run(arguments)
        guard let failure = Terminal.outputFailure else { return code }
        Terminal.complain(
            "standard output does not take what is printed: \(failure.errno); see where it goes, then ask again")
        return code == CLIExit.success.rawValue ? CLIExit.internalError.rawValue : code
    }

    private static func run(_ arguments: [String]) -> Int32 {
        let arguments = GlobalOptions.hoisted(arguments)
        do {
            var command = try Antares.parseAsRoot(arguments)
            try command.run()
            return CLIExit.success.rawValue
        } catch let error as CLIError {
            error.lines.forEach(Terminal.complain)
            return error.exit.rawValue
        } catch let code as ArgumentParser.ExitCode {
            return code.rawValue
        } catch {
            if Antares.exitCode(for: error).isSuccess {
                Terminal.print([Antares.fullMessage(for: error)])
                return CLIExit.success.rawValue
            }
            Terminal.complain(UsageLine.text(error, of: Antares.self, arguments, nearest: NearestName.find))
            return CLIExit.usage.rawValue
        }
    }
}
