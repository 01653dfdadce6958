import FoundationEssentials
import Supervision

/// The body of `GET /mounts/{id}/diff`: the first `limit` changes.
///
/// A path that is not UTF-8 is shown with replacement characters, and its bytes are in a member beside it.
struct DifferenceBody: Encodable {
    static let defaultLimit = 10_000
    static let highestLimit = 1_000_000
    /// Bytes of JSON that the changes may take, whatever the limit.
    static let maximumBytes = 48 << 20

    let mount: MountStatus
    let changes: [Change]
    let total: Int
    let limit: Int

    init(_ mount: MountStatus, _ changes: [UpperChange], limit: Int, maximumBytes: Int = maximumBytes) {
        self.mount = mount
        self.limit = limit
        total = changes.count
        var bytes = 0
        self.changes = changes.prefix(limit).prefix { change in
            bytes += Self.cost(change)
            return bytes <= maximumBytes
        }.map(Change.init)
    }

    /// `?limit=N`.
    static func limit(path: String) throws(SupervisorError) -> Int {
        var limit = defaultLimit
        for (name, value) in Query.items(of: path) {
            guard name == "limit" else {
                throw SupervisorError(.invalidRequest, "unknown parameter `\(name)`; known is limit")
            }
            guard let number = Int(value), (0...highestLimit).contains(number) else {
                throw SupervisorError(.invalidRequest, "`limit=\(value)`: wants a number up to \(highestLimit)")
            }
            limit = number
        }
        return limit
    }

    struct Change: Encodable {
        let change: UpperChange

        init(_ change: UpperChange) {
            self.change = change
        }

        private enum Key: String, CodingKey {
            case path, kind, type, from
            case pathBytes = "path_base64"
            case fromBytes = "from_base64"
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try put(change.path, .path, .pathBytes, into: &container)
            try container.encode(change.type.rawValue, forKey: .type)
            switch change.kind {
            case .added: try container.encode("added", forKey: .kind)
            case .modified: try container.encode("modified", forKey: .kind)
            case .deleted: try container.encode("deleted", forKey: .kind)
            case .renamed(let from):
                try container.encode("renamed", forKey: .kind)
                try put(from, .from, .fromBytes, into: &container)
            }
        }

        private func put(
            _ path: [UInt8], _ text: Key, _ bytes: Key, into container: inout KeyedEncodingContainer<Key>
        ) throws {
            try container.encode(String(decoding: path, as: UTF8.self), forKey: text)
            if String(validating: path, as: UTF8.self) == nil {
                try container.encode(Data(path).base64EncodedString(), forKey: bytes)
            }
        }
    }

    /// No less than the bytes that it takes as JSON.
    private static func cost(_ change: UpperChange) -> Int {
        var paths = [change.path]
        if case .renamed(let from) = change.kind { paths.append(from) }
        return paths.reduce(100) { sum, path in
            // An escape, or a replacement character and the byte in base64.
            sum + 50 + path.reduce(0) { $0 + ($1 < 0x20 || $1 >= 0x7F ? 6 : $1 == 0x22 || $1 == 0x5C ? 2 : 1) }
        }
    }

    private enum Key: String, CodingKey {
        case mountID = "mount_id"
        case commit, changes, total, limit, truncated
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(mount.id.rawValue, forKey: .mountID)
        try container.encode(mount.commit, forKey: .commit)
        try container.encode(changes, forKey: .changes)
        try container.encode(total, forKey: .total)
        try container.encode(limit, forKey: .limit)
        try container.encode(changes.count < total, forKey: .truncated)
    }
}
