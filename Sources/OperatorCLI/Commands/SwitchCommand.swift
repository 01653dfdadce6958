import ArgumentParser
import CommandUsage

struct SwitchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch", abstract: "Exchanges the changelist of a mount, at the same path, without a gap.",
        discussion: """
            Without --carry or --discard nothing may have been written. Who has files or directories of the mount open still sees the view before; \
            it is told who that is. While what was written is copied, the mount is read-only.
            """,
        examples: [
            "antares switch ci-4711 --cl 4K7Q2WXB --carry   # takes over what the job wrote",
            "antares switch ci-4711 --none --discard   # the commit alone, and a clean tree",
        ])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id.", completion: .mounts)
    var mount: String

    @Option(help: "The changelist to show.")
    var cl: String?

    @Flag(help: "No changelist: the commit alone.")
    var none = false

    @Option(help: "Where the changelist begins in the repository; else that is found out.")
    var clPath: String?

    @Option(help: ArgumentHelp("The changelist's own base instead of the mount's commit.", valueName: "cl"))
    var base: String?

    @Option(help: "Another commit, tag or branch below it; else the mount's commit stays.")
    var rev: String?

    @Flag(help: "Takes over what the job has written.")
    var carry = false

    @Flag(help: "Gives up what the job has written.")
    var discard = false

    func validate() throws {
        if (cl == nil) != none { throw ValidationError("name a changelist with --cl, or say --none") }
        if carry, discard { throw ValidationError("--carry and --discard exclude each other") }
        if none, clPath != nil || base != nil || rev != nil {
            throw ValidationError("--cl-path, --base and --rev belong to --cl")
        }
    }

    func run() throws {
        let request = SwitchCommandRequest(
            changelist: cl, changelistPath: clPath, base: base, revision: rev, carry: carry ? true : nil,
            discard: discard ? true : nil)
        let answer = try global.client.exchange(mount, request)
        if global.json { return Terminal.print(json: answer.json) }
        Terminal.print([answer.value.mountpoint])
        if let report = answer.value.exchange { Presentation.exchange(report).forEach(Terminal.complain) }
    }
}
