/// A preload in the body of `GET /cache`.
struct PreloadReport: Decodable {
    struct Request: Decodable {
        let number: UInt64
        let revision: String
        let path: String
        let commit: String
        let withContents: Bool
    }

    struct Part: Decodable {
        let done: UInt64
        let total: UInt64
    }

    struct Tally: Decodable {
        let directories: Part
        let entries: Part
        let contents: Part
        let bytes: Part
        let failed: UInt64
    }

    let request: Request
    let state: String
    let phase: String
    let tally: Tally
    let rate: Double
    let secondsLeft: UInt64?
    let cause: String?

    var hasEnded: Bool { state == "complete" || state == "incomplete" }
}

/// The body of `POST /cache/prefetch`.
struct PrefetchCommandRequest: Encodable {
    var origin: String?
    var rev: String
    var path: String
    var depth: UInt32?
    var contents: Bool
}

/// The answer to `POST /cache/prefetch`.
struct PrefetchReport: Decodable {
    let preload: UInt64
    let origin: String
    let commit: String
}
