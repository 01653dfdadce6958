import CacheProtocol
import GitObjects

extension AntaresDialect {
    static let changelistExtension = "changelists"

    func changelist(
        _ name: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> Changelist {
        // What older origins do not tell, the published API tells in part.
        guard origin.asksTogether(Self.changelistExtension) else {
            return try await MegaDialect().changelist(name, origin)
        }
        let path = "/antares/v1/changelists/" + PercentEncoding.encode(name.utf8, keepingSlashes: false)
        let changelist = try await origin.get(
            OriginCall(path: path, counter: .pinFetches), limit: MegaDialect.changelistLimit
        ) { (body) throws(CacheError) in
            try AntaresReplies.changelist(body, name)
        }
        guard let changelist else { throw MegaDialect.unknown(name, origin) }
        return changelist
    }
}
