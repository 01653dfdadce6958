import Supervision

/// What a path names.
enum Route: Hashable, Sendable {
    case health
    case cache
    case cacheCollection
    case cacheVerification
    case cachePrefetch
    case metrics
    case events
    case mounts
    case mount(String)
    case ready(String)
    case reset(String)
    case job(String)
    case renew(String)
    case diff(String)
    case drain
    case status
    case workers
    case openAPI
    case logs
    case configuration
    /// What the old daemon served beside this API; the path itself.
    case legacy(String)
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
        case 1 where segments[0] == "status": self = .status
        case 1 where segments[0] == "workers": self = .workers
        case 1 where segments[0] == "openapi.json": self = .openAPI
        case 1 where segments[0] == "logs": self = .logs
        case 1 where segments[0] == "config": self = .configuration
        case 2... where segments[0] == "api" && (segments[1] == "fs" || segments == ["api", "config"]):
            self = .legacy("/" + segments.joined(separator: "/"))
        case 1 where segments[0] == "metrics": self = .metrics
        case 1 where segments[0] == "events": self = .events
        case 1 where segments[0] == "mounts": self = .mounts
        case 1 where segments[0] == "cache": self = .cache
        case 2 where segments == ["cache", "gc"]: self = .cacheCollection
        case 2 where segments == ["cache", "verify"]: self = .cacheVerification
        case 2 where segments == ["cache", "prefetch"]: self = .cachePrefetch
        case 2 where segments[0] == "mounts": self = .mount(segments[1])
        case 3 where segments[0] == "mounts" && segments[1] == "by-job": self = .job(segments[2])
        case 1 where segments[0] == "drain": self = .drain
        case 3 where segments[0] == "mounts" && segments[2] == "renew": self = .renew(segments[1])
        case 3 where segments[0] == "mounts" && segments[2] == "diff": self = .diff(segments[1])
        case 3 where segments[0] == "mounts" && segments[2] == "ready": self = .ready(segments[1])
        case 3 where segments[0] == "mounts" && segments[2] == "reset": self = .reset(segments[1])
        case 3 where segments[0] == "mounts" && segments[2] == "cl": self = .changelist(segments[1])
        default: return nil
        }
    }

    /// For the `Allow` header.
    var methods: [String] {
        switch self {
        case .health, .ready, .cache, .metrics, .events, .status, .workers, .openAPI, .logs, .configuration, .diff:
            ["GET"]
        case .legacy: []
        case .cacheCollection, .cacheVerification, .cachePrefetch: ["POST"]
        case .mounts: ["GET", "POST"]
        case .mount, .job: ["GET", "DELETE"]
        case .reset, .renew: ["POST"]
        case .changelist, .drain: ["POST", "DELETE"]
        }
    }

    /// The route without what clients chose, for the log.
    var pattern: String {
        switch self {
        case .health: "/health"
        case .cache: "/cache"
        case .cacheCollection: "/cache/gc"
        case .cacheVerification: "/cache/verify"
        case .cachePrefetch: "/cache/prefetch"
        case .metrics: "/metrics"
        case .events: "/events"
        case .mounts: "/mounts"
        case .mount: "/mounts/{id}"
        case .ready: "/mounts/{id}/ready"
        case .reset: "/mounts/{id}/reset"
        case .job: "/mounts/by-job/{id}"
        case .changelist: "/mounts/{id}/cl"
        case .renew: "/mounts/{id}/renew"
        case .diff: "/mounts/{id}/diff"
        case .drain: "/drain"
        case .status: "/status"
        case .workers: "/workers"
        case .openAPI: "/openapi.json"
        case .logs: "/logs"
        case .configuration: "/config"
        case .legacy: "/api"
        }
    }
}

/// The part of a request's target after the question mark (RFC 3986 §3.4).
enum Query {
    /// Names and values in their order; a name without a value has the empty one.
    static func items(of target: String) -> [(name: String, value: String)] {
        guard let mark = target.firstIndex(of: "?") else { return [] }
        return target[target.index(after: mark)...].prefix { $0 != "#" }.split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? PercentEncoding.decode(parts[1]) : ""
            return (PercentEncoding.decode(parts[0]) ?? String(parts[0]), value ?? String(parts[1]))
        }
    }
}

extension Query {
    /// Parameters that are true or false; without a value they are true. Throws `.invalidRequest`.
    static func flags(
        of target: String, known: [String]
    ) throws(SupervisorError) -> [(name: String, isOn: Bool)] {
        var flags: [(String, Bool)] = []
        for (name, value) in items(of: target) {
            guard known.contains(name) else {
                throw SupervisorError(
                    .invalidRequest, "unknown parameter `\(name)`; known are \(known.joined(separator: ", "))")
            }
            guard let on = ["": true, "1": true, "true": true, "0": false, "false": false][value] else {
                throw SupervisorError(.invalidRequest, "`\(name)=\(value)`: wants true or false")
            }
            flags.append((name, on))
        }
        return flags
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
