/// A path on a line of its own or beside another: no name can make it look like something else.
enum QuotedPath {
    /// As it is; in quotes with escapes as in C and in Git's output where it has control characters or others that nobody sees, quotes,
    /// backslashes, blanks at an end, ` -> `, or is not UTF-8.
    static func text(_ path: [UInt8]) -> String {
        if let text = String(validating: path, as: UTF8.self), !needsQuotes(text) { return text }
        var result = "\""
        for part in parts(path) {
            switch part {
            case .shown(let scalar): result.unicodeScalars.append(scalar)
            case .byte(let byte): result += escape(byte)
            }
        }
        return result + "\""
    }

    private static func needsQuotes(_ text: String) -> Bool {
        text.isEmpty || text.first == " " || text.last == " " || text.contains(" -> ")
            || !text.unicodeScalars.allSatisfy(isPlain)
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: scalar != "\"" && scalar != "\\"
        }
    }

    private enum Part {
        case shown(Unicode.Scalar)
        case byte(UInt8)
    }

    private static func parts(_ path: [UInt8]) -> [Part] {
        var parts: [Part] = []
        var decoder = UTF8()
        var rest = path[...]
        while !rest.isEmpty {
            var iterator = rest.makeIterator()
            decoder = UTF8()
            if case .scalarValue(let scalar) = decoder.decode(&iterator), isPlain(scalar) {
                parts.append(.shown(scalar))
                rest = rest.dropFirst(UTF8.width(scalar))
            } else {
                parts.append(.byte(rest[rest.startIndex]))
                rest = rest.dropFirst()
            }
        }
        return parts
    }

    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case 0x09: return "\\t"
        case 0x0A: return "\\n"
        case 0x0D: return "\\r"
        case 0x22: return "\\\""
        case 0x5C: return "\\\\"
        default:
            let digits = String(byte, radix: 8)
            return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
        }
    }
}
