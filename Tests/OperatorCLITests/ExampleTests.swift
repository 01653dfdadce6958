import ArgumentParser
import CommandUsage
import LinuxSystem
import Testing

@testable import OperatorCLI

/// The examples that people copy are command lines that the program takes.
@Suite struct ExampleTests {
    private static func all(from root: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
        [root] + root.configuration.subcommands.flatMap(all)
    }

    /// The lines behind the heading, which are indented.
    private static func examples(in help: String) -> [String] {
        help.split(separator: "\n", omittingEmptySubsequences: false).drop {
            $0 != CommandConfiguration.examplesHeading
        }
        .dropFirst().prefix { $0.hasPrefix("  ") }.map { String($0.dropFirst(2)) }
    }

    /// As a shell would take it apart, as far as examples go that far: comments, pipes and redirections end the command.
    private static func words(_ line: String) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in line {
            switch character {
            case quote: quote = nil
            case _ where quote != nil: word = (word ?? "") + String(character)
            case "\"", "'": (quote, word) = (character, word ?? "")
            case " ":
                if let word { words.append(word) }
                word = nil
            case "#", "|", ">", "&", ";":
                if word == nil { return words }
                word? += String(character)
            default: word = (word ?? "") + String(character)
            }
        }
        return words + (word.map { [$0] } ?? [])
    }

    private static func parse(_ words: [String]) throws -> any ParsableCommand {
        try Antares.parseAsRoot(GlobalOptions.hoisted(words))
    }

    @Test func everyCommandHasOneThatParses() throws {
        for command in Self.all(from: Antares.self) {
            let help = Antares.helpMessage(for: command, columns: 500)
            let examples = Self.examples(in: help)
            #expect(!examples.isEmpty, "\(command) has no example")
            for example in examples {
                #expect(example.count <= 90, "\(example)")
                let words = Self.words(example)
                #expect(words.first == "antares", "\(example)")
                #expect(throws: Never.self, "\(example)") {
                    let parsed = try Self.parse(Array(words.dropFirst()))
                    let isGroup = !command.configuration.subcommands.isEmpty
                    #expect(isGroup || type(of: parsed) == command, "\(example) is no example of \(command)")
                }
            }
        }
    }

    @Test func thoseOfTheReadmeParse() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let lines = try File.text(root + "/README.md").split(separator: "\n")
        let commands = lines.compactMap { line -> [String]? in
            guard line.hasPrefix("    ") else { return nil }
            let words = Self.words(line.drop { $0 == " " }.description)
            let command = words.first == "$" ? words.dropFirst() : words[...]
            return command.first == "antares" ? Array(command.dropFirst()) : nil
        }
        #expect(commands.count > 20)
        for command in commands {
            #expect(throws: Never.self, "antares \(command.joined(separator: " "))") { try Self.parse(command) }
        }
    }

    @Test func wordsAreThoseOfAShell() {
        #expect(Self.words("a 'b c' --x=\"d\" '' | e") == ["a", "b c", "--x=d", ""])
        #expect(Self.words("a b#c > d") == ["a", "b#c"])
        #expect(Self.words("a   # b") == ["a"])
    }
}
