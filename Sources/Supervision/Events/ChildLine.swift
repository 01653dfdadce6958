/// A line of the log of a worker or of the cache owner, taken apart. What it says is the process's own word.
struct ChildLine: Sendable {
    let level: LogLevel
    let part: LogPart
    let message: String
    /// In the order in which they were written.
    let fields: [(String, String)]

    /// - Parameter line: without its end. As workers write it, `antares-worker[PID] MOUNT: text`, else as the cache owner does, `LEVEL event=NAME key=value…`; what is
    ///   neither is the cache owner's word as it stands.
    init(_ line: String) {
        let prefix = "antares-worker["
        if line.hasPrefix(prefix), let end = line.firstIndex(of: "]"), let colon = line[end...].firstIndex(of: ":"),
            let pid = Int32(line[line.index(line.startIndex, offsetBy: prefix.count)..<end])
        {
            let mount = String(line[end..<colon].dropFirst(2))
            (level, part) = (.warning, .worker)
            message = String(line[line.index(after: colon)...].drop { $0 == " " })
            fields = (MountID(rawValue: mount) == nil ? [] : [("mount", mount)]) + [("pid", "\(pid)")]
            return
        }
        part = .cache
        let word = line.prefix { $0 != " " }
        let known = LogLevel(rawValue: String(word))
        level = known ?? .info
        let text = known == nil ? line[...] : line.dropFirst(word.count + 1)
        if let fields = Self.fields(text), let event = fields.first, event.0 == "event" {
            message = event.1
            self.fields = Array(fields.dropFirst())
        } else {
            message = String(text)
            fields = []
        }
    }

    /// `name=value` or `name="value"` with `\"`, `\\` and `\n`, separated by single spaces; nil if the text is anything else.
    private static func fields(_ text: Substring) -> [(String, String)]? {
        var result: [(String, String)] = []
        var rest = text
        while let equals = rest.firstIndex(of: "=") {
            let name = rest[..<equals]
            guard !name.isEmpty, !name.contains(" ") else { return nil }
            rest = rest[rest.index(after: equals)...]
            guard let value = rest.first == "\"" ? takeQuoted(&rest) : takePlain(&rest) else { return nil }
            result.append((String(name), value))
            guard rest.isEmpty || rest.first == " " else { return nil }
            rest = rest.dropFirst()
        }
        return rest.isEmpty ? result : nil
    }

    private static func takePlain(_ rest: inout Substring) -> String? {
        let value = rest.prefix { $0 != " " }
        rest = rest[value.endIndex...]
        return String(value)
    }

    private static func takeQuoted(_ rest: inout Substring) -> String? {
        rest = rest.dropFirst()
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"":
                return value
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped == "n" ? "\n" : escaped)
            default:
                value.append(character)
            }
        }
        return nil
    }
}
