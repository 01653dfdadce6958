import Supervision

/// The body of `GET /logs`.
struct LogsBody: Encodable {
    let lines: [LogLineBody]

    /// `?mount=ID or job`, `?lines=N`, `?level=warning`.
    init(_ ring: LogRing?, path: String) throws(SupervisorError) {
        var name: String?
        var count = 200
        var level = LogLevel.trace
        for (key, value) in Query.items(of: path) {
            switch key {
            case "mount":
                name = value
            case "lines":
                guard let number = Int(value), (1...LogRing.capacity).contains(number) else {
                    throw SupervisorError(.invalidRequest, "lines takes a number from 1 to \(LogRing.capacity)")
                }
                count = number
            case "level":
                guard let known = LogLevel(rawValue: value) else {
                    let levels = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SupervisorError(.invalidRequest, "`\(value)` is no level of the log; there are \(levels)")
                }
                level = known
            default:
                throw SupervisorError(.invalidRequest, "unknown parameter `\(key)`; known are mount, lines, level")
            }
        }
        lines = (ring?.last(count, about: name, from: level) ?? []).map(LogLineBody.init)
    }
}

struct LogLineBody: Encodable {
    let line: LogLine

    init(_ line: LogLine) {
        self.line = line
    }

    private enum Key: String, CodingKey {
        case number, level, part, message, fields
        case time = "time_epoch_ms"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(line.number, forKey: .number)
        try container.encode(line.time, forKey: .time)
        try container.encode(line.level.rawValue, forKey: .level)
        try container.encode(line.part.rawValue, forKey: .part)
        try container.encode(line.message, forKey: .message)
        try container.encode(Dictionary(line.fields.map { ($0.name, $0.value) }) { $1 }, forKey: .fields)
    }
}
