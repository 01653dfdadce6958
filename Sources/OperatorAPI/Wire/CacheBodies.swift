import Supervision

/// The body of `POST /cache/gc`, and of its answer.
struct CollectionBody: Codable {
    /// Down to so many bytes; else to the low watermark.
    var targetBytes: UInt64?

    private enum CodingKeys: String, CodingKey {
        case targetBytes = "target_bytes"
    }
}

/// The answer to `POST /cache/verify`.
struct VerificationBody: Encodable {
    /// `sweep.number` in `GET /cache`, at least.
    let sweep: UInt64
}

/// The body of `POST /cache/prefetch`. All keys may be left out: then it is the whole tree of the default origin's head.
struct PrefetchBody: Decodable {
    static let fields = ["origin", "rev", "path", "depth", "contents"]

    var origin: String?
    var rev: String?
    var path: String?
    /// Levels of directories below the path.
    var depth: UInt32?
    var contents: Bool?

    var request: PrefetchRequest {
        var request = PrefetchRequest()
        request.origin = origin
        request.revision = rev
        request.path = path ?? "/"
        request.depth = depth
        request.contents = contents ?? false
        return request
    }
}

/// The answer to `POST /cache/prefetch`.
struct PrefetchingBody: Encodable {
    /// `origins[].preloads[].request.number` in `GET /cache`.
    let preload: UInt64
    let origin: String
    let commit: String
    /// Whether the next mount of it is sealed; its image is made in the background otherwise.
    let sealed: Bool

    init(_ status: PrefetchStatus) {
        preload = status.preload
        origin = status.origin
        commit = status.commit
        sealed = status.isSealed
    }
}
