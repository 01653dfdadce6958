/// Values of a line of `key=value` pairs, and the strings of a line of JSON.
public enum FieldText {
    /// A value as it is where that is unambiguous, else as a JSON string.
    public static func value(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 < 0x7F }
        return isPlain ? text : quoted(text)
    }

    /// Nobody's message may forge a second line.
    public static func line(_ text: String) -> String {
        text.utf8.contains { $0 < 0x20 } ? String(quoted(text).dropFirst().dropLast()) : text
    }

    /// A JSON string (RFC 8259 §7).
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
