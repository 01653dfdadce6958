/// What a path names.
enum Route: Hashable, Sendable {
    case health
    case mounts
    case mount(String)
    case ready(String)
    case job(String)
    /// The published changelist route of a mount.
    case changelist(String)

    /// The route of a request's path; nil if there is none. The published API is served at `/antares`, too.
    init?(path: String) {
        let target = path.prefix { $0 != "?" && $0 != "#" }
        guard target.hasPrefix("/") else { return nil }
        var segments: [String] = []
        for part in target.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let segment = PercentEncoding.decode(part) else { return nil }
            segments.append(segment)
        }
        if segments.first == "antares" { segments.removeFirst() }
        if segments.count > 1, segments.last == "" { segments.removeLast() }
        switch segments.count {
        case 1 where segments[0] == "health": self = .health
        case 1 where segments[0] == "mounts": self = .mounts
        case 2 where segments[0] == "mounts": self = .mount(segments[1])
        case 3 where segments[0] == "mounts" && segments[1] == "by-job": self = .job(segments[2])
        case 3 where segments[0] == "mounts" && segments[2] == "ready": self = .ready(segments[1])
        case 3 where segments[0] == "mounts" && segments[2] == "cl": self = .changelist(segments[1])
        default: return nil
        }
    }

    /// For the `Allow` header.
    var methods: [String] {
        switch self {
        case .health, .ready: ["GET"]
        case .mounts: ["GET", "POST"]
        case .mount, .job: ["GET", "DELETE"]
        case .changelist: ["POST", "DELETE"]
        }
    }

    /// The route without what clients chose, for the log.
    var pattern: String {
        switch self {
        case .health: "/health"
        case .mounts: "/mounts"
        case .mount: "/mounts/{id}"
        case .ready: "/mounts/{id}/ready"
        case .job: "/mounts/by-job/{id}"
        case .changelist: "/mounts/{id}/cl"
        }
    }
}

/// Percent-encoding of path segments (RFC 3986 §2.1).
enum PercentEncoding {
    /// Nil for a broken escape or bytes that are not UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = iterator.next().flatMap(digit), let low = iterator.next().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
