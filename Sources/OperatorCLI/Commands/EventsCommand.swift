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

    @Argument(
        help: "Only those of this mount, by its id, the beginning of it (four characters or more), or its job.",
        completion: .mounts)
    var name: String?

    @Option(
        name: .customLong("kind"), help: ArgumentHelp("Only those of this kind. May be repeated.", discussion: kinds),
        completion: .list(SupervisionEvent.Kind.allCases.map(\.rawValue)))
    var selected: [String] = []

    private static let kinds = SupervisionEvent.Kind.allCases.map(\.rawValue).joined(separator: ", ")

    @Flag(help: "Goes on with what happens from now on, until interrupted.")
    var follow = false

    @Option(parsing: .unconditional, help: "Only what comes after the event with this id; 0 for all that is kept.")
    var after: UInt64?

    func validate() throws {
        if name?.isEmpty == true { throw ValidationError("the mount's name is empty; name its id or its job") }
        if let unknown = selected.first(where: { SupervisionEvent.Kind(rawValue: $0) == nil }) {
            throw ValidationError("`\(unknown)` is no kind of event; there are \(Self.kinds)")
        }
    }

    func run() throws {
        let json = global.json
        var isKnown = false
        try global.client.events(after: after, follow: follow) { data in
            guard let event = try? EventReport(json: data), shows(event) else { return }
            isKnown = isKnown || event.kind != "gap"
            if json {
                Terminal.print(json: data)
            } else {
                Terminal.print([Presentation.event(event)])
            }
        }
        // One that was never there is an error; one of which nothing of the kind is kept is not.
        if let name, !isKnown, !follow { try explainSilence(name) }
    }

    private func explainSilence(_ name: String) throws {
        var isKept = false
        try global.client.events(after: 0, follow: false) { data in
            if let event = try? EventReport(json: data), Self.isNamed(event, name) { isKept = true }
        }
        if !isKept { _ = try global.client.mount(name) }
    }

    /// Whether an event is of the mount that was named.
    private static func isNamed(_ event: EventReport, _ name: String) -> Bool {
        event.job == name || name.utf8.count >= 4 && event.mount?.hasPrefix(name.lowercased()) == true
    }

    /// A gap is shown whatever is asked for: what is missing may have been of it.
    private func shows(_ event: EventReport) -> Bool {
        if event.kind == "gap" { return true }
        return name.map { Self.isNamed(event, $0) } ?? true && (selected.isEmpty || selected.contains(event.kind))
    }
}
