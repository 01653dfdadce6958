import Supervision

/// An event as the API shows it. Absent values are left out.
struct EventBody: Encodable {
    let event: SupervisionEvent

    private enum Key: String, CodingKey {
        case id, kind, cause, details
        case time = "time_epoch_ms"
        case mount = "mount_id"
        case job = "job_id"
        case duration = "duration_ms"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(event.id, forKey: .id)
        try container.encode(event.time, forKey: .time)
        try container.encode(event.kind.rawValue, forKey: .kind)
        try container.encodeIfPresent(event.mount?.rawValue, forKey: .mount)
        try container.encodeIfPresent(event.job, forKey: .job)
        try container.encodeIfPresent(event.cause, forKey: .cause)
        try container.encodeIfPresent(event.duration.map { $0 / .milliseconds(1) }, forKey: .duration)
        if !event.details.isEmpty {
            try container.encode(
                Dictionary(event.details.map { ($0.name, $0.value) }) { $1 }, forKey: .details)
        }
    }
}
