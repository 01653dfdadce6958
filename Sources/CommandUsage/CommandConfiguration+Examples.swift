public import ArgumentParser

extension CommandConfiguration {
    /// Above the examples in a command's help.
    public static let examplesHeading = "Examples:"

    /// A command whose help ends with examples: whole command lines, each perhaps with ` # what it does` behind it.
    public init(
        commandName: String, abstract: String, usage: String? = nil, discussion: String = "", version: String = "",
        examples: [String],
        subcommands: [any ParsableCommand.Type] = [], aliases: [String] = []
    ) {
        let width = examples.map { Self.command($0).count }.filter { $0 <= 44 }.max() ?? 0
        let lines = examples.map { example in
            let command = Self.command(example)
            let comment = example.dropFirst(command.count).drop { $0 == " " }
            let gap = String(repeating: " ", count: max(0, width - command.count) + 2)
            return comment.isEmpty ? "  " + command : "  " + command + gap + comment
        }
        let text = ([discussion, Self.examplesHeading].filter { !$0.isEmpty }).joined(separator: "\n\n")
        self.init(
            commandName: commandName, abstract: abstract, usage: usage,
            discussion: text + "\n" + lines.joined(separator: "\n"), version: version, subcommands: subcommands,
            aliases: aliases)
    }

    /// An example without what is said of it.
    private static func command(_ example: String) -> String {
        var rest = example[...]
        while !rest.isEmpty, !rest.hasPrefix(" #") { rest = rest.dropFirst() }
        var command = example[..<rest.startIndex]
        while command.last == " " { command.removeLast() }
        return String(command)
    }
}
