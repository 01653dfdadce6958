import FoundationEssentials

/// An event as the API describes it; `kind` is `gap` where events were lost.
struct EventReport: Decodable, Hashable {
    let kind: String
    let id: UInt64?
    let time: Int64?
    let mount: String?
    let job: String?
    let cause: String?
    let duration: Double?
    let details: [String: String]?

    private enum CodingKeys: String, CodingKey {
        case kind, id, cause, details
        case job = "job_id"
        case time = "time_epoch_ms"
        case mount = "mount_id"
        case duration = "duration_ms"
    }

    init(json: [UInt8]) throws {
        self = try JSONDecoder().decode(EventReport.self, from: Data(json))
    }
}
