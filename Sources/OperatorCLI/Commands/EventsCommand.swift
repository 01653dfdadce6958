import ArgumentParser
import CommandUsage

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Shows what happened: states, takeovers, adoptions, with cause and duration.",
        discussion: """
            Without --follow, what the supervisor keeps in memory. With --json one object a line; `{"kind":"gap"}` stands where events were \
            lost.
            """,
        examples: [
            "antares events --follow",
            "antares events --follow --json | jq 'select(.kind == \"takeover\")'",
            "antares events --after 4711   # what came after an event",
        ])

    @OptionGroup var global: GlobalOptions

    @Flag(help: "Goes on with what happens from now on, until interrupted.")
    var follow = false

    @Option(help: "Only what comes after the event with this id; 0 for all that is kept.")
    var after: UInt64?

    func run() throws {
        let json = global.json
        try global.client.events(after: after, follow: follow) { data in
            if json {
                Terminal.print(json: data)
            } else if let event = try? EventReport(json: data) {
                Terminal.print([Presentation.event(event)])
            }
        }
    }
}
