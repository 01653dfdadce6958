import CacheProtocol
import GitObjects

/// A commit as an origin names it, with its root directory.
struct ResolvedCommit: Hashable, Sendable {
    var commit: ObjectID
    var record: SnapshotRecord
    /// What the root stands for, if its id is a path key.
    var rootPath: PathRecord?
}

/// A listing that was fetched, checked and packed.
struct FetchedDirectory: Sendable {
    var packed: [UInt8]
    /// What the path keys among its entries stand for.
    var paths: [ObjectID: PathRecord] = [:]
}

/// How an origin is asked. Blobs are the same everywhere; commits and directories are not.
protocol OriginDialect: Sendable {
    /// The commit that a name means now; empty is the origin's head.
    /// - Throws: `unknownRevision` if the origin has none of this name.
    func resolve(
        _ revision: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> ResolvedCommit

    /// One directory, complete as far as the origin can say.
    func directory(
        _ id: ObjectID, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> FetchedDirectory

    /// The change of this name as it is now.
    /// - Throws: `unknownChangelist` if the origin has none; `refused` if it has an entry that leads out of its root.
    func changelist(
        _ name: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> Changelist
}

extension DirectoryPacker {
    /// Packs, or says why the directory cannot be served.
    static func packed(_ items: [Item], of directory: String) throws(CacheError) -> [UInt8] {
        do throws(Refusal) {
            return try pack(items)
        } catch {
            switch error {
            case .name(let name, let problem):
                throw CacheError(
                    .refused,
                    "\(directory) has an entry \(Self.shown(name)) that must not be served: \(problem.rawValue)")
            case .duplicate(let name):
                throw CacheError(.refused, "\(directory) has two entries \(Self.shown(name))")
            case .tooLarge:
                throw CacheError(.refused, "\(directory) is too large")
            }
        }
    }

    private static func shown(_ name: [UInt8]) -> String {
        let text = String(decoding: name.prefix(64), as: UTF8.self)
        return text.debugDescription
    }
}
