/// The body of `GET /logs`.
struct LogReport: Decodable, Hashable {
    struct Line: Decodable, Hashable {
        let time: Int64
        let level: String
        let part: String
        let message: String
        let fields: [String: String]

        private enum CodingKeys: String, CodingKey {
            case level, part, message, fields
            case time = "time_epoch_ms"
        }
    }

    let lines: [Line]
}
