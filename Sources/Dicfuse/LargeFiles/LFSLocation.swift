import CacheProtocol
import FoundationEssentials
import GitObjects

/// Where a file of Git LFS can be downloaded (git-lfs, docs/api/batch.md).
struct LFSLocation: Hashable, Sendable {
    /// As the server gave it: http or https.
    var address: String
    /// `Name: value` lines to be sent with the request.
    var headers: [String]

    private struct Answer: Decodable {
        struct Object: Decodable {
            struct Actions: Decodable {
                var download: Action?
            }
            struct Action: Decodable {
                var href: String
                var header: [String: String]?
            }
            struct Failure: Decodable {
                var code: Int
                var message: String?
            }
            var oid: String
            var actions: Actions?
            var error: Failure?
        }
        var transfer: String?
        var objects: [Object]
    }

    /// The body of the question for one object. Everything that Mega wants to have, though the standard leaves some of it out.
    static func question(_ id: ObjectID, size: UInt64) -> [UInt8] {
        Array(
            """
            {"operation":"download","transfers":["basic"],"objects":[{"oid":"\(id.hex)","size":\(size)}],"hash_algo":"sha256"}
            """.utf8)
    }

    /// - Throws: `notFound` if the server has no such object; `corrupt` for an answer that is none.
    static func parse(_ body: [UInt8], _ id: ObjectID) throws(CacheError) -> LFSLocation {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            let object = answer.objects.first(where: { $0.oid == id.hex }), answer.transfer ?? "basic" == "basic"
        else { throw CacheError(.corrupt, "the LFS server's answer for \(id) cannot be read") }
        if let failure = object.error {
            let text = "the LFS server has no object \(id): \(failure.code) \(failure.message ?? "")"
            throw CacheError(failure.code == 404 || failure.code == 410 ? .notFound : .unreachable, text)
        }
        guard let action = object.actions?.download else {
            throw CacheError(.notFound, "the LFS server does not say where object \(id) is")
        }
        let isAddress = action.href.hasPrefix("http://") || action.href.hasPrefix("https://")
        guard isAddress, action.href.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), action.href.utf8.count < 16384 else {
            throw CacheError(.corrupt, "the LFS server gives an address for \(id) that is none")
        }
        var headers: [String] = []
        for (name, value) in action.header ?? [:] {
            guard !name.isEmpty, name.utf8.allSatisfy(isTokenCharacter),
                value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
            else { throw CacheError(.corrupt, "the LFS server gives a header for \(id) that cannot be sent") }
            headers.append("\(name): \(value)")
        }
        return LFSLocation(address: action.href, headers: headers.sorted())
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// The address to ask. A server that does not know its own address names the one that it is bound to, which means the server itself.
    func reachable(from server: String) -> String {
        guard let rest = Self.authority(of: address), Self.isUnspecified(rest.host),
            let own = Self.authority(of: server)
        else { return address }
        return own.scheme + "://" + own.host + address.dropFirst(rest.scheme.utf8.count + 3 + rest.host.utf8.count)
    }

    /// Whether two addresses name the same scheme, host and port: credentials for one are for the other.
    static func areSameServer(_ one: String, _ other: String) -> Bool {
        guard let one = authority(of: one), let other = authority(of: other) else { return false }
        return one.scheme == other.scheme && one.host.lowercased() == other.host.lowercased()
    }

    private static func authority(of address: String) -> (scheme: String, host: String)? {
        guard let end = address.firstRange(of: "://") else { return nil }
        let rest = address[end.upperBound...]
        return (String(address[..<end.lowerBound]), String(rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }))
    }

    private static func isUnspecified(_ host: String) -> Bool {
        host == "0.0.0.0" || host.hasPrefix("0.0.0.0:") || host == "[::]" || host.hasPrefix("[::]:")
    }
}
