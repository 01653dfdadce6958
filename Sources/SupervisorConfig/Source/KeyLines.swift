/// Finds the line on which each key of a TOML document stands, for messages: the parser does not tell.
///
/// Reads documents that the parser has accepted, so it need not judge them. Keys inside inline tables are not found; the caller falls
/// back to the line of the table.
struct KeyLines: Sendable {
    private var lines: [[String]: Int] = [:]

    init(_ text: String) {
        var section: [String] = []
        var scanner = ValueScanner()
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: Self.endsLine).enumerated() {
            let wasInside = scanner.isInside
            let content = line.drop { $0 == " " || $0 == "\t" }
            defer { scanner.read(line) }
            if wasInside || content.isEmpty || content.first == "#" { continue }
            if content.first == "[" {
                section = Self.path(content.drop { $0 == "[" }, until: "]")
                add(section, index + 1)
            } else {
                let key = Self.path(content, until: "=")
                for length in 1...max(1, key.count) { add(section + key.prefix(length), index + 1) }
            }
        }
    }

    /// The line of the key, or of the innermost table around it that has one.
    func line(of path: [String]) -> Int? {
        var path = path
        while !path.isEmpty {
            if let line = lines[path] { return line }
            path.removeLast()
        }
        return nil
    }

    private static func endsLine(_ character: Character) -> Bool {
        character == "\n" || character == "\r\n"
    }

    private mutating func add(_ path: [String], _ line: Int) {
        for length in stride(from: path.count, to: 0, by: -1) where lines[Array(path.prefix(length))] == nil {
            lines[Array(path.prefix(length))] = line
        }
    }

    /// A dotted key: bare and quoted parts up to `end`.
    private static func path(_ text: Substring, until end: Character) -> [String] {
        var parts: [String] = []
        var part = ""
        var quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil } else { part.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == end {
                break
            } else if character == "." {
                parts.append(part)
                part = ""
            } else if character != " " && character != "\t" {
                part.append(character)
            }
        }
        return parts + [part]
    }
}

/// Follows strings and brackets over line ends, to know which lines continue a value.
private struct ValueScanner {
    private var depth = 0
    private var multilineQuote: Character?

    var isInside: Bool {
        depth > 0 || multilineQuote != nil
    }

    mutating func read(_ line: Substring) {
        let isHeader = !isInside && line.drop { $0 == " " || $0 == "\t" }.first == "["
        if isHeader { return }
        let characters = Array(line)
        var index = 0
        var quote: Character?
        while index < characters.count {
            let character = characters[index]
            let triple =
                index + 2 < characters.count && characters[index + 1] == character && characters[index + 2] == character
            if let open = multilineQuote {
                if character == "\\" && open == "\"" {
                    index += 1
                } else if character == open && triple {
                    multilineQuote = nil
                    index += 2
                }
            } else if let open = quote {
                if character == "\\" && open == "\"" { index += 1 } else if character == open { quote = nil }
            } else if character == "#" {
                return
            } else if character == "\"" || character == "'" {
                if triple {
                    multilineQuote = character
                    index += 2
                } else {
                    quote = character
                }
            } else if character == "[" || character == "{" {
                depth += 1
            } else if character == "]" || character == "}" {
                depth -= 1
            }
            index += 1
        }
    }
}
