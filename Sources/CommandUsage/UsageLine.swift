public import ArgumentParser

/// What is wrong with a command line, in one line that says where to read on.
public enum UsageLine {
    /// `unknown option '--foo' for 'list' (did you mean '--format'?); see 'antares list --help'`.
    ///
    /// - Parameters:
    ///   - error: what the parser threw for `arguments`.
    ///   - nearest: the one of some names that a wrong one was meant to be, if it can be guessed.
    public static func text(
        _ error: any Error, of root: any ParsableCommand.Type, _ arguments: [String],
        nearest: (String, [String]) -> String? = { _, _ in nil }
    ) -> String {
        let place = Place(root, arguments)
        let program = place.path.joined(separator: " ")
        let help = "see '\(program) --help'"
        if let unknown = place.unknown {
            let guess = nearest(unknown, place.known).map { " (did you mean '\($0)'?)" } ?? ""
            return "unknown command '\(unknown)'\(guess); \(help)"
        }
        var message = oneSentence(root.message(for: error))
        if message.hasPrefix("unknown option"), place.path.count > 1 {
            let end = message.range(of: "'", after: "unknown option '") ?? message.endIndex
            message.insert(
                contentsOf: " for '\(place.path.dropFirst().joined(separator: " "))'", at: end)
        }
        return "\(message); \(help)"
    }

    /// The command that a command line names, as far as it names one.
    private struct Place {
        var path: [String]
        /// A word where a command was wanted, and the commands that there are.
        var unknown: String?
        var known: [String] = []

        init(_ root: any ParsableCommand.Type, _ arguments: [String]) {
            path = [root.configuration.commandName ?? ""]
            var commands = root.configuration.subcommands
            for word in arguments {
                guard !commands.isEmpty, !word.hasPrefix("-"), word != "help" else { return }
                guard let next = commands.first(where: { $0.names.contains(word) }) else {
                    (unknown, known) = (word, commands.flatMap { $0.names })
                    return
                }
                path.append(next.configuration.commandName ?? word)
                commands = next.configuration.subcommands
            }
        }
    }

    /// The parser's text, which has lines, bullets and full stops, as a part of a sentence.
    private static func oneSentence(_ text: String) -> String {
        let words = text.split { $0.isNewline || $0 == " " }.joined(separator: " ")
        var sentence = words[...]
        while sentence.last == "." { sentence.removeLast() }
        let suggestion = ". Did you mean "
        if let start = sentence.range(of: suggestion, after: ""), sentence.last == "?" {
            sentence = sentence[..<start] + " (did you mean " + sentence[start...].dropFirst(suggestion.count) + ")"
        }
        guard let first = sentence.first, sentence.dropFirst().first?.isUppercase != true else {
            return String(sentence)
        }
        return first.lowercased() + sentence.dropFirst()
    }
}

extension ParsableCommand {
    fileprivate static var names: [String] {
        [configuration.commandName].compactMap { $0 } + configuration.aliases
    }
}

extension StringProtocol {
    /// Where `wanted` begins for the first time after `prefix`, which the text has to begin with; behind it if `prefix` is not empty.
    fileprivate func range(of wanted: String, after prefix: String) -> Index? {
        guard hasPrefix(prefix) else { return nil }
        var rest = self.dropFirst(prefix.count)
        while !rest.isEmpty {
            if rest.hasPrefix(wanted) {
                return prefix.isEmpty ? rest.startIndex : index(rest.startIndex, offsetBy: wanted.count)
            }
            rest = rest.dropFirst()
        }
        return nil
    }
}
