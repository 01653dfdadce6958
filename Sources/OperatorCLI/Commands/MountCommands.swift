import ArgumentParser
import CommandUsage

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount", abstract: "Makes a mount and prints where it is.",
        discussion: "Asking again for the same job answers the same mount.",
        examples: [
            "antares mount ci-4711 --rev v1.2",
            "antares mount ci-4711 --cl 4K7Q2WXA --base cl   # a changelist, where it was made",
            "antares mount ci-4711 --label pipeline=nightly --ttl 2h --keep-upper",
        ])

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: MountOptions

    @Argument(help: "The job's name.")
    var job: String?

    @Option(parsing: .unconditional, help: "Owner of the tree; else the caller.")
    var uid: UInt32?

    @Option(parsing: .unconditional, help: "Group of the tree; else the caller's.")
    var gid: UInt32?

    @Flag(help: "Keeps what is written in the mount after its end; `umount` says where.")
    var keepUpper = false

    func validate() throws {
        if job?.isEmpty == true {
            throw ValidationError("the job's name is empty; a mount of no job is made without the argument")
        }
    }

    func run() throws {
        var request = options.request(job: job)
        request.uid = uid
        request.gid = gid
        request.upperPolicy = keepUpper ? "keep" : nil
        let client = global.client
        let answer = try Progress.during("making the mount") { () throws(CLIError) in try client.create(request) }
        if global.json { Terminal.print(json: answer.json) } else { Terminal.print([answer.value.mountpoint]) }
    }
}

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount", abstract: "Ends a mount; nothing is left of it.",
        examples: [
            "antares umount ci-4711",
            "antares umount ci-4711 --kill   # ends the processes that use it",
        ], aliases: ["unmount"])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id.", completion: .mounts)
    var mount: String

    @Flag(help: "Does not wait until nobody uses it.")
    var force = false

    @Flag(help: "Ends the processes that use it: SIGTERM, then SIGKILL; with --force SIGKILL at once.")
    var kill = false

    func run() throws {
        let (client, name, force, kill) = (global.client, mount, force, kill)
        let answer = try Progress.during("unmounting") { () throws(CLIError) in
            try client.remove(name, force: force, kill: kill)
        }
        if global.json { return Terminal.print(json: answer.json) }
        if let report = answer.value.unmount { Presentation.unmount(report).forEach(Terminal.complain) }
    }
}

struct ResetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset", abstract: "Gives a mount a new worker, under running jobs.",
        discussion: "For a mount that is quarantined because its workers kept ending: the same mount works again.",
        examples: ["antares reset ci-4711"])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id.", completion: .mounts)
    var mount: String

    func run() throws {
        let answer = try global.client.reset(mount)
        if global.json { Terminal.print(json: answer.json) }
    }
}

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the mounts.",
        examples: [
            "antares list --label pipeline=nightly --sort=-age",
            "antares list --columns job,state,age,mountpoint",
            "antares list --state failed",
            "antares list --watch",
        ], aliases: ["ls"])

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: ListOptions

    func run() throws {
        try options.repeating {
            let listed = ListedMounts(try global.client.mounts())
            if global.json { return Terminal.print(json: listed.json(selectedBy: options)) }
            let mounts = listed.selected(by: options)
            Terminal.print(Presentation.list(mounts, options.chosen(Presentation.listColumns(for: mounts))))
        }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the supervisor and its workers, or one mount.",
        examples: ["antares status", "antares status ci-4711", "antares status --sort=-memory --watch"])

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: ListOptions

    @Argument(help: "A job's name or a mount's id; else everything.", completion: .mounts)
    var mount: String?

    func run() throws {
        try options.repeating { try show() }
    }

    private func show() throws {
        if let mount {
            let answer = try global.client.mount(mount)
            if global.json { return Terminal.print(json: answer.json) }
            let processes = try? global.client.status().value.processes
            let process = processes?.first { $0.mount == answer.value.id && $0.pid == answer.value.worker?.pid }
            return Terminal.print(Presentation.mount(answer.value, process))
        }
        let health = try global.client.health()
        let listed = ListedMounts(try global.client.mounts())
        // An agent is not told of all processes.
        let status = try? global.client.status()
        if global.json {
            // The members of the second object follow the first: {"health":{…},"mounts":[…],"status":{…}}.
            var json = Array("{\"health\":".utf8) + JSONText.trimmed(health.json)
            json += Array(",".utf8) + JSONText.trimmed(listed.json(selectedBy: options)).dropFirst().dropLast()
            if let status { json += Array(",\"status\":".utf8) + JSONText.trimmed(status.json) }
            Terminal.print(json: json + Array("}".utf8))
        } else {
            let columns = options.chosen(Presentation.workerColumns)
            let shown = listed.selected(by: options)
            let workers = shown.isEmpty ? [] : [""] + Presentation.list(shown, columns)
            let ids = Set(shown.map(\.id))
            let processes =
                status.map { answer in
                    [""]
                        + Presentation.processTable(
                            answer.value.processes.filter { !options.filters || $0.mount.map(ids.contains) ?? true })
                } ?? Presentation.processes(health.value.processes ?? [])
            Terminal.print(Presentation.health(health.value) + processes + workers)
        }
    }
}
