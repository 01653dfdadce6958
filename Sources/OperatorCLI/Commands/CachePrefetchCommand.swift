import ArgumentParser
import CommandUsage

struct CachePrefetchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prefetch", abstract: "Fetches the tree of a revision before anybody asks for it.",
        discussion: """
            It goes on in the background, behind what mounts ask for, and after a restart. Without --wait the command prints the \
            commit as soon as it has begun; `antares cache status` shows how far it is. With --wait, an interrupt ends the waiting only.
            """,
        examples: [
            "antares cache prefetch v1.2   # names, types and sizes",
            "antares cache prefetch main --path /project/a --contents --wait",
        ])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "A commit, a tag or a branch; the head if it is empty.")
    var rev: String

    @Option(help: "The directory to fetch, with all below it.")
    var path = "/"

    @Flag(help: "Fetches what is in the files, too.")
    var contents = false

    @Option(parsing: .unconditional, help: "Levels of directories below the path; all if not given.")
    var depth: UInt32?

    @Option(help: "The origin; else the default one.")
    var origin: String?

    @Flag(help: "Waits until it has ended.")
    var wait = false

    func run() throws {
        let client = global.client
        let begun = try client.prefetch(
            PrefetchCommandRequest(origin: origin, rev: rev, path: path, depth: depth, contents: contents))
        guard wait else {
            return global.json ? Terminal.print(json: begun.json) : Terminal.print([begun.value.commit])
        }
        func preload(_ report: CacheReport) -> PreloadReport? {
            report.origins.first { $0.name == begun.value.origin }?.preloads?.first {
                $0.request.number == begun.value.preload
            }
        }
        let answer = try Progress.wait(client, limit: nil) { report in
            preload(report).flatMap { $0.hasEnded ? nil : CachePresentation.step($0) }
        }
        guard let ended = preload(answer.value) else {
            throw CLIError(.internalError, "the preload has ended too long ago to tell how")
        }
        if global.json {
            Terminal.print(json: answer.json)
        } else {
            Terminal.print(CachePresentation.preloaded(ended))
        }
        if ended.state != "complete" {
            let cause = ended.cause.map { ": " + Printable.text($0) } ?? ""
            throw CLIError(.originUnreachable, "\(ended.tally.failed) objects could not be fetched\(cause)")
        }
    }
}
