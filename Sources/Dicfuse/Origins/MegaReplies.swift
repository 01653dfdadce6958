import CacheProtocol
import FoundationEssentials
import GitObjects

/// What the published Mega API answers.
enum MegaReplies {
    struct Listed: Hashable, Sendable {
        var name: [UInt8]
        var isDirectory: Bool
        var id: ObjectID
    }

    private struct Envelope: Decodable {
        struct Item: Decodable {
            var name: String
            var contentType: String
            var oid: String

            enum CodingKeys: String, CodingKey {
                case name, oid
                case contentType = "content_type"
            }
        }
        var result: Bool
        var data: [Item]?
        var message: String?

        enum CodingKeys: String, CodingKey {
            case data
            case result = "req_result"
            case message = "err_message"
        }
    }

    private struct LatestCommit: Decodable {
        var oid: String
        var date: String
    }

    /// The answer of `tree/content-hash`: one directory level.
    static func listing(_ body: [UInt8]) throws(CacheError) -> [Listed] {
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(body)) else {
            throw CacheError(.corrupt, "the origin's listing cannot be read")
        }
        guard envelope.result, let data = envelope.data else {
            throw CacheError(.unreachable, "the origin refused a listing: \(envelope.message ?? "no reason given")")
        }
        var listed: [Listed] = []
        listed.reserveCapacity(data.count)
        // Servers that lost a name's bytes may list it empty (see `tree/dir-hash` of a pushed import); it stands for nothing.
        for item in data where !item.name.isEmpty {
            guard let id = ObjectID(hex: item.oid) else {
                throw CacheError(.corrupt, "the origin's listing has the object id \"\(item.oid.prefix(80))\"")
            }
            listed.append(
                Listed(name: Array(item.name.utf8), isDirectory: item.contentType == "directory", id: id))
        }
        return listed
    }

    /// The answer of `latest-commit`, which has no envelope; the date is text.
    static func latestCommit(_ body: [UInt8]) throws(CacheError) -> (commit: ObjectID, time: Int64) {
        guard let reply = try? JSONDecoder().decode(LatestCommit.self, from: Data(body)),
            let commit = ObjectID(hex: reply.oid), let time = Int64(reply.date)
        else { throw CacheError(.corrupt, "the origin's latest commit cannot be read") }
        return (commit, time)
    }

    /// Modes by name and id, from the raw tree of `file/tree`. The tree may be another commit's: only entries with the listed
    /// id count. A body that is no tree gives none.
    static func modes(_ body: [UInt8]) -> [[UInt8]: (mode: FileMode, id: ObjectID)] {
        guard let entries = try? TreeParser.entries(of: body) else { return [:] }
        return Dictionary(entries.map { ($0.name, ($0.mode, $0.id)) }, uniquingKeysWith: { first, _ in first })
    }
}
