import ArgumentParser

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount", abstract: "Makes a mount and prints where it is.",
        discussion: "Asking again for the same job answers the same mount.")

    @OptionGroup var global: GlobalOptions
    @OptionGroup var options: MountOptions

    @Argument(help: "The job's name.")
    var job: String?

    @Option(help: "Owner of the tree; else the caller.")
    var uid: UInt32?

    @Option(help: "Group of the tree; else the caller's.")
    var gid: UInt32?

    @Option(help: "A changelist (refused by this version of the supervisor).")
    var cl: String?

    func run() throws {
        var request = options.request(job: job)
        request.uid = uid
        request.gid = gid
        request.changelist = cl
        let answer = try global.client.create(request)
        if global.json { Terminal.print(json: answer.json) } else { Terminal.print([answer.value.mountpoint]) }
    }
}

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "umount", abstract: "Ends a mount; nothing is left of it.", aliases: ["unmount"])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id.")
    var mount: String

    func run() throws {
        let answer = try global.client.remove(mount)
        if global.json { Terminal.print(json: answer.json) }
    }
}

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the mounts.", aliases: ["ls"])

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let answer = try global.client.mounts()
        if global.json {
            Terminal.print(json: answer.json)
        } else {
            Terminal.print(Presentation.list(answer.value.mounts))
        }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the supervisor and its workers, or one mount.")

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id; else everything.")
    var mount: String?

    func run() throws {
        if let mount {
            let answer = try global.client.mount(mount)
            if global.json {
                Terminal.print(json: answer.json)
            } else {
                Terminal.print(Presentation.mount(answer.value))
            }
            return
        }
        let health = try global.client.health()
        let mounts = try global.client.mounts()
        if global.json {
            // The members of the second object follow the first: {"health":{…},"mounts":[…]}.
            let json =
                Array("{\"health\":".utf8) + trimmed(health.json) + Array(",".utf8) + trimmed(mounts.json).dropFirst()
            Terminal.print(json: json)
        } else {
            let workers = mounts.value.mounts.isEmpty ? [] : [""] + Presentation.workers(mounts.value.mounts)
            Terminal.print(Presentation.health(health.value) + workers)
        }
    }

    private func trimmed(_ json: [UInt8]) -> [UInt8] {
        Array(json.prefix(while: { $0 != UInt8(ascii: "\n") }))
    }
}
