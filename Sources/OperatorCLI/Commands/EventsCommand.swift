import ArgumentParser
import CommandUsage
import Supervision

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Shows what happened: states, takeovers, adoptions, with cause and duration.",
        discussion: """
            Without --follow, what the supervisor keeps in memory. A line has time, id, kind, mount, job, duration, cause and details. With --json one object a line; `{"kind":"gap"}` stands where events were \
            lost.
            """,
        examples: [
            "antares events --follow",
            "antares events ci-4711   # of one mount, by job or id",
            "antares events --follow --kind takeover --kind mount_failed",
            "antares events --follow --json | jq 'select(.kind == \"takeover\")'",
            "antares events --after 4711   # what came after an event",
        ])

    @OptionGroup var global: GlobalOptions

    @Argument(help: "Only those of this mount, by its id, the beginning of it, or its job.")
    var name: String?

    @Option(
        name: .customLong("kind"), help: ArgumentHelp("Only those of this kind. May be repeated.", discussion: kinds))
    var selected: [String] = []

    private static let kinds = SupervisionEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    @Flag(help: "Goes on with what happens from now on, until interrupted.")
    var follow = false

    @Option(help: "Only what comes after the event with this id; 0 for all that is kept.")
    var after: UInt64?

    func validate() throws {
        if let unknown = selected.first(where: { SupervisionEvent.Kind(rawValue: $0) == nil }) {
            throw ValidationError("`\(unknown)` is no kind of event; there are \(Self.kinds)")
        }
    }

    func run() throws {
        let json = global.json
        try global.client.events(after: after, follow: follow) { data in
            guard let event = try? EventReport(json: data), shows(event) else { return }
            if json {
                Terminal.print(json: data)
            } else {
                Terminal.print([Presentation.event(event)])
            }
        }
    }

    /// A gap is shown whatever is asked for: what is missing may have been of it.
    private func shows(_ event: EventReport) -> Bool {
        if event.kind == "gap" { return true }
        let isNamed = name.map { event.job == $0 || $0.count >= 8 && event.mount?.hasPrefix($0) == true } ?? true
        return isNamed && (selected.isEmpty || selected.contains(event.kind))
    }
}
