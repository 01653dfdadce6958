import ArgumentParser
import CommandUsage
import SupervisorConfig

struct RenewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew", abstract: "Begins the lease of a mount anew.",
        examples: ["antares renew ci-4711", "antares renew ci-4711 --ttl 10m"])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A job's name or a mount's id.", completion: .mounts)
    var mount: String

    @Option(help: "Another time to live from now on, like 10m.", transform: Seconds.parse)
    var ttl: Int?

    func run() throws {
        let client = global.client
        let answer = try client.renew(try client.mount(mount).value.id, ttl: ttl)
        if global.json { Terminal.print(json: answer.json) }
    }
}

struct DrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Takes in no further mounts, for maintenance; those that exist stay.",
        discussion: "`antares list` shows what is left. A restarted supervisor takes mounts in again.",
        examples: ["antares drain", "antares drain --undo"])

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Takes mounts in again.")
    var undo = false

    func run() throws {
        let json = try global.client.drain(!undo)
        if global.json { Terminal.print(json: json) }
    }
}

/// A duration of the command line in whole seconds.
enum Seconds {
    static func parse(_ text: String) throws -> Int {
        guard let duration = Quantity.duration(text), duration >= .seconds(1) else {
            throw ValidationError("`\(text)` is no duration; write it like 10m, at least 1s")
        }
        return Int(duration.components.seconds)
    }
}
