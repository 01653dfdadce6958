import CacheProtocol
import FoundationEssentials
import GitObjects

/// What `antares-origin` answers at its extensions.
enum AntaresReplies {
    private struct Commit: Decodable {
        var commit: String
        var tree: String
        var time: Int64
    }

    /// `{"commit": hex, "tree": hex, "time": seconds after 1970}`.
    static func commit(_ body: [UInt8]) throws(CacheError) -> ResolvedCommit {
        guard let reply = try? JSONDecoder().decode(Commit.self, from: Data(body)),
            let commit = ObjectID(hex: reply.commit), let tree = ObjectID(hex: reply.tree)
        else { throw CacheError(.corrupt, "the origin's answer for a commit cannot be read") }
        return ResolvedCommit(commit: commit, record: SnapshotRecord(root: tree, time: reply.time))
    }

    private struct Capabilities: Decodable {
        var version: Int
        var extensions: [String]?
    }

    /// `{"version": 1, "extensions": ["trees", "blobs", …]}`; nil for anything else, which is no Antares origin.
    static func capabilities(_ body: [UInt8]) -> PlaceCapabilities? {
        guard let reply = try? JSONDecoder().decode(Capabilities.self, from: Data(body)), reply.version == 1 else {
            return nil
        }
        return PlaceCapabilities(isAntares: true, extensions: Set(reply.extensions ?? []))
    }
}

/// What one of an origin's places can do.
struct PlaceCapabilities: Hashable, Sendable {
    var isAntares: Bool
    var extensions: Set<String> = []

    /// The published API and no more.
    static let published = PlaceCapabilities(isAntares: false)
}
