import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs a command in a mount of its own.",
        usage: "antares run [<options>] -- COMMAND…",
        discussion: """
            Mounts, runs COMMAND in the mount, copies the outputs out, unmounts whatever happened, and ends with COMMAND's exit \
            code (128 + n for signal n, 127 if it is not found, 126 if it cannot be executed; 3 if COMMAND succeeded but an output \
            is missing or the unmount failed). COMMAND sees ANTARES_COMMIT, ANTARES_CL (if it has one), ANTARES_ORIGIN, ANTARES_JOB and ANTARES_MOUNTPOINT. \
            SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to it.
            """,
        examples: [
            "antares run -- make -j8",
            "antares run --rev v1.2 --output build/app:dist/ -- make -j8",
        ])

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: MountOptions

    @Option(help: "The job's name; else one is made up.")
    var job: String?

    @Option(
        help: ArgumentHelp(
            "SRC[:DEST], copied out of the mount when COMMAND has ended, also when it failed. May be repeated.",
            discussion: """
                SRC is relative to the mount. DEST is relative to the current directory: else the same path there; with a slash \
                at its end, a directory to put SRC into. Directories are merged, files replaced.
                """))
    var output: [String] = []

    @Argument(parsing: .postTerminator, help: "What to run.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("no command: put it after `--`, as in `antares run -- make`") }
        if job?.isEmpty == true {
            throw ValidationError("the job's name is empty; without --job one is made up")
        }
        if global.json { throw ValidationError("`run` prints what its command prints; it has no --json") }
    }

    func run() throws {
        // The mount would be on the other machine, and the command here.
        _ = try global.localSocket(for: "run")
        let outputs = try output.map { (text) throws(CLIError) in try OutputSpec(text) }
        let signals: Signals
        do throws(SystemError) {
            signals = try Signals(JobRunner.signals)
        } catch {
            throw CLIError(.internalError, "signals cannot be received: \(error)")
        }
        let name = job ?? "run-\(getpid())-\(String(UInt32.random(in: 0 ... .max), radix: 16))"
        var request = options.request(job: name)
        // Said here and not left to the socket, so that it holds over any transport.
        request.uid = getuid()
        request.gid = getgid()
        // If this process is killed, nobody else would unmount.
        request.isBoundToClient = true
        let runner = JobRunner(
            client: global.client, request: request, outputs: outputs, command: command, isNameChosen: job != nil)
        throw ArgumentParser.ExitCode(try runner.run(signals: signals))
    }
}
