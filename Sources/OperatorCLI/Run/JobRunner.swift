import Glibc
import LinuxSystem

/// `antares run`: a mount around one command.
struct JobRunner {
    /// What ends a job early, and is passed on to its command.
    static let signals: [Int32] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

    let client: SupervisorClient
    let request: MountRequest
    let outputs: [OutputSpec]
    let command: [String]
    /// The caller chose the job's name: it must not have a mount yet, which would be ended with this one.
    let isNameChosen: Bool

    /// Mounts, runs, copies the outputs, unmounts whatever happened. Answers the exit code: the command's; 3 if it is 0 and an output or the
    /// unmount failed; 128 + n if signal n came before the command was started.
    func run(signals: borrowing Signals) throws(CLIError) -> Int32 {
        if isNameChosen, let job = request.job, try client.mount(job: job) != nil {
            throw CLIError(
                .mount, "job \(job) has a mount already; end it with `antares umount \(job)` or use another --job")
        }
        let mount = try Progress.during("making the mount") { () throws(CLIError) in try client.create(request).value }
        let result: Result<Int32, CLIError>
        do throws(CLIError) {
            result = .success(try work(in: mount, signals))
        } catch {
            result = .failure(error)
        }
        let isUnmounted = unmount(mount)
        let code = try result.get()
        return code == 0 && !isUnmounted ? CLIExit.mount.rawValue : code
    }

    private func work(in mount: MountReport, _ signals: borrowing Signals) throws(CLIError) -> Int32 {
        // A signal that came while the mount was made had nobody to be passed on to.
        if let early = try? signals.next() { return 128 + early }
        let caller = Terminal.workingDirectory
        let environment = Environment.variables
        let code = try ForegroundCommand(
            command: command, directory: mount.mountpoint, environment: Self.environment(environment, mount),
            path: environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        ).run(signals: signals)
        guard !outputs.isEmpty else { return code }
        // Only now, so that the command had the caller's limit: a deep tree takes two descriptors for each level.
        Privileges.raiseOpenFileLimit()
        let pending = signals.raw
        let problems = OutputCopier(mountpoint: mount.mountpoint, directory: caller) {
            var entry = pollfd(fd: pending, events: Int16(POLLIN), revents: 0)
            return poll(&entry, 1, 0) > 0
        }.copy(outputs)
        problems.forEach(Terminal.complain)
        if let interruption = try? signals.next() { return 128 + interruption }
        return code == 0 && !problems.isEmpty ? CLIExit.mount.rawValue : code
    }

    private func unmount(_ mount: MountReport) -> Bool {
        do throws(CLIError) {
            _ = try client.remove(mount.id)
            return true
        } catch  where error.exit == .notFound {
            return true
        } catch {
            Terminal.complain("\(error.message); the mount \(mount.id) at \(mount.mountpoint) is left")
            return false
        }
    }

    /// The caller's variables with those of the job.
    static func environment(_ caller: [String: String], _ mount: MountReport) -> [String] {
        var variables = caller
        variables["ANTARES_COMMIT"] = mount.commit ?? ""
        variables["ANTARES_CL"] = mount.changelist
        variables["ANTARES_ORIGIN"] = mount.origin ?? ""
        variables["ANTARES_JOB"] = mount.job ?? mount.build ?? mount.id
        variables["ANTARES_MOUNTPOINT"] = mount.mountpoint
        variables["PWD"] = mount.mountpoint
        variables["OLDPWD"] = nil
        return variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }
}
