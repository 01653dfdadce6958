import ArgumentParser
import CommandUsage
import Glibc

struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "Shows and maintains the cache of this machine.",
        examples: [
            "antares cache du   # what each origin takes",
            "antares cache prefetch main --wait   # before the herd comes",
        ],
        subcommands: [
            CacheStatusCommand.self, CacheUsageCommand.self, CacheGCCommand.self, CacheVerifyCommand.self,
            CachePrefetchCommand.self,
        ])
}

struct CacheStatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows what the cache has, does and has done.",
        examples: ["antares cache status", "antares cache status --json"])

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let answer = try global.client.cache()
        if global.json {
            Terminal.print(json: answer.json)
        } else {
            Terminal.print(CachePresentation.status(answer.value))
        }
    }
}

struct CacheUsageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "du", abstract: "Shows what each origin takes of the disk.",
        examples: ["antares cache du"])

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let answer = try global.client.cache()
        if global.json {
            Terminal.print(json: answer.json)
        } else {
            Terminal.print(CachePresentation.usage(answer.value))
        }
    }
}

struct CacheGCCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Evicts what was not used for longest, and deletes what was set aside as damaged.",
        discussion: "An object that is needed again is fetched again: this costs time, never an error.",
        examples: ["antares cache gc   # down to the low watermark", "antares cache gc --to 50000000000"])

    @OptionGroup var global: GlobalOptions

    @Option(help: "Bytes that the cache may take afterwards; else the low watermark of its limit.")
    var to: UInt64?

    func run() throws {
        let client = global.client
        let before = try client.cache().value.eviction.rounds
        try client.collectCache(target: to)
        let answer = try Progress.wait(client, limit: global.timeout) { report in
            report.eviction.rounds > before && !report.eviction.isRunning
                ? nil : Progress.Step("evicting: \(report.objects) objects, \(Printable.size(report.bytes))")
        }
        if global.json {
            Terminal.print(json: answer.json)
        } else {
            Terminal.print(CachePresentation.usage(answer.value))
        }
    }
}

struct CacheVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Reads every object and compares it with its id.",
        discussion:
            "What is damaged is set aside and fetched again. The cache serves meanwhile. Ended with an interrupt, the check goes on.",
        examples: ["antares cache verify"])

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let client = global.client
        let number = try client.verifyCache()
        let answer = try Progress.wait(client, limit: nil) { report in
            let sweep = report.sweep
            return sweep.number >= number && !sweep.isRunning
                ? nil
                : Progress.Step(
                    CachePresentation.progress(sweep), done: sweep.objects, of: sweep.totalObjects)
        }
        let sweep = answer.value.sweep
        if global.json { Terminal.print(json: answer.json) } else { Terminal.print(CachePresentation.verified(sweep)) }
        if sweep.failed > 0 {
            throw CLIError(
                .internalError, "\(sweep.failed) objects could not be looked at; the cache owner's log says why")
        }
    }
}
