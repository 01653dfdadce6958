import Glibc
import LinuxSystem

/// Runs a job's command in the foreground and passes signals on to it.
struct ForegroundCommand {
    let command: [String]
    let directory: String
    let environment: [String]
    let path: String

    /// The exit code as a shell gives it: 128 + n for a signal, 127 for a command that is not there, 126 for one that cannot run.
    func run(signals: borrowing Signals) throws(CLIError) -> Int32 {
        let child: ChildProcess
        do throws(CommandLookup.Failure) {
            let program = try CommandLookup.find(command[0], directory: directory, path: path)
            guard let started = try start(program) else { return 126 }
            child = started
        } catch {
            let reason = error == .notFound ? "is not found" : "cannot be executed"
            Terminal.complain("\(command[0]) \(reason)")
            return error == .notFound ? 127 : 126
        }
        wait(for: child, signals)
        switch child.reap() {
        case .code(let code)?: return code
        case .signal(let number)?: return 128 + number
        case .unknown?, nil: throw CLIError(.internalError, "the command's exit code is unknown")
        }
    }

    /// Nil after a complaint if the program was found, but the kernel does not run it.
    private func start(_ program: String) throws(CommandLookup.Failure) -> ChildProcess? {
        var spec = ProcessSpec(
            path: program, arguments: Array(command.dropFirst()), environment: environment, fds: [0, 1, 2])
        spec.directory = directory
        spec.newSession = false
        // The command is the caller's own, with all that the caller may do.
        spec.noNewPrivileges = false
        spec.keepsIgnoredSignals = true
        do throws(SystemError) {
            return try ChildProcess.spawn(spec)
        } catch {
            Terminal.complain("\(command[0]) cannot be executed: \(error)")
            return nil
        }
    }

    private func wait(for child: ChildProcess, _ signals: borrowing Signals) {
        while true {
            var entries = [
                pollfd(fd: child.pidfd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 2, -1) > 0 else { continue }
            while let signal = try? signals.nextWithSender() {
                // What a terminal sends reaches the whole foreground group, but a hang-up only the session's leader, which may be
                // this process.
                if !signal.isFromKernel || signal.number == SIGHUP { child.signal(signal.number) }
            }
            if entries[0].revents != 0 { return }
        }
    }
}
