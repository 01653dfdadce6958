import ArgumentParser
import Glibc

/// The `antares` command.
public enum OperatorCLI {
    /// Runs the command line (without the program's name) and answers the process's exit code.
    public static func main(_ arguments: [String]) -> Int32 {
        do {
            var command = try Antares.parseAsRoot(GlobalOptions.hoisted(arguments))
            try command.run()
            return CLIExit.success.rawValue
        } catch let error as CLIError {
            Terminal.complain(error.message)
            return error.exit.rawValue
        } catch let code as ArgumentParser.ExitCode {
            return code.rawValue
        } catch {
            let isHelp = Antares.exitCode(for: error).isSuccess
            Terminal.write(Antares.fullMessage(for: error) + "\n", to: isHelp ? STDOUT_FILENO : STDERR_FILENO)
            return isHelp ? CLIExit.success.rawValue : CLIExit.usage.rawValue
        }
    }
}
