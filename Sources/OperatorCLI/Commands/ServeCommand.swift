import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem

/// The old name of starting the service: becomes antares-supervisor with the same flags.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Starts the supervisor (antares-supervisor with the same flags).",
        examples: ["antares serve --config /etc/antares/supervisor.toml"])

    @Argument(parsing: .captureForPassthrough, help: "Flags of antares-supervisor.")
    var flags: [String] = []

    func run() throws {
        let program = Self.besideExecutable("antares-supervisor")
        let arguments = [program] + flags
        var pointers = arguments.map { strdup($0) }
        pointers.append(nil)
        execv(program, pointers)
        throw CLIError(.internalError, "\(program) cannot be started: \(Errno.current)")
    }

    private static func besideExecutable(_ name: String) -> String {
        guard let path = realpath("/proc/self/exe", nil) else { return name }
        defer { free(path) }
        let own = String(cString: path)
        return own[...(own.lastIndex(of: "/") ?? own.startIndex)] + name
    }
}
