import CacheProtocol
import GitObjects

extension MegaDialect {
    static let changelistLimit = 128 << 20

    /// The list says neither from which commit to which it goes, so the base is asked for before and after.
    func changelist(
        _ name: String, _ origin: isolated OriginFetcher
    ) async throws(CacheError) -> Changelist {
        let path = "/api/v1/cl/" + PercentEncoding.encode(name.utf8, keepingSlashes: false)
        var base = await base(of: path, origin)
        for _ in 0..<3 {
            let files = try await origin.get(
                OriginCall(path: "\(path)/files-list", counter: .pinFetches), limit: Self.changelistLimit
            ) { (body) throws(CacheError) in
                try MegaReplies.files(body, of: name)
            }
            guard let files else { throw Self.unknown(name, origin) }
            let now = await self.base(of: path, origin)
            if now == base { return Changelist(base: base, tip: nil, files: files) }
            base = now
        }
        throw CacheError(.unreachable, "origin \(origin.name) moves changelist \(name) again and again: try later")
    }

    static func unknown(_ name: String, _ origin: isolated OriginFetcher) -> CacheError {
        CacheError(.unknownChangelist, "origin \(origin.name) has no changelist \"\(name)\"")
    }

    /// Servers that do not tell it are served as far as it goes.
    private func base(of path: String, _ origin: isolated OriginFetcher) async -> Changelist.Base {
        let call = OriginCall(
            path: "\(path)/update-status", counter: .pinFetches, attempts: 1, serverErrorIsFinal: true)
        let reply: Changelist.Base??
        do throws(CacheError) {
            reply = try await origin.get(call, limit: 64 * 1024) { (body) throws(CacheError) in
                try MegaReplies.base(body)
            }
        } catch {
            return .unknown
        }
        return (reply ?? nil) ?? .unknown
    }
}
