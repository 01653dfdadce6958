import FoundationEssentials

/// The body of `GET /mounts/{id}/diff`.
struct DifferenceReport: Decodable, Hashable {
    struct Change: Decodable, Hashable {
        enum Kind: String, Decodable { case added, modified, deleted, renamed }

        let path: [UInt8]
        let kind: Kind
        let type: String
        /// Where it was, if it was renamed.
        let from: [UInt8]?

        private enum CodingKeys: String, CodingKey {
            case path, kind, type, from
            case pathBytes = "path_base64"
            case fromBytes = "from_base64"
        }

        init(path: [UInt8], kind: Kind, type: String, from: [UInt8]? = nil) {
            (self.path, self.kind, self.type, self.from) = (path, kind, type, from)
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            func bytes(_ text: CodingKeys, _ bytes: CodingKeys) throws -> [UInt8]? {
                if let encoded = try container.decodeIfPresent(String.self, forKey: bytes) {
                    guard let data = Data(base64Encoded: encoded) else {
                        throw DecodingError.dataCorruptedError(forKey: bytes, in: container, debugDescription: "base64")
                    }
                    return Array(data)
                }
                return try container.decodeIfPresent(String.self, forKey: text).map { Array($0.utf8) }
            }
            kind = try container.decode(Kind.self, forKey: .kind)
            type = try container.decode(String.self, forKey: .type)
            from = try bytes(.from, .fromBytes)
            guard let path = try bytes(.path, .pathBytes), kind != .renamed || from != nil else {
                throw DecodingError.dataCorruptedError(forKey: .path, in: container, debugDescription: "no path")
            }
            self.path = path
        }
    }

    let changes: [Change]
    let total: Int
    let truncated: Bool
}
