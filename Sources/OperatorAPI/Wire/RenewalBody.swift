import FoundationEssentials
import Supervision

/// The body of `POST /mounts/{id}/renew`: empty, or `{"ttl": SECONDS}`.
struct RenewalBody: Decodable {
    let ttl: Int?

    static func timeToLive(_ body: some Collection<UInt8>) throws(SupervisorError) -> Int? {
        if body.isEmpty { return nil }
        guard let decoded = try? JSONDecoder().decode(RenewalBody.self, from: Data(body)),
            decoded.ttl.map({ (1...Lease.maximum).contains($0) }) ?? true
        else { throw SupervisorError(.badPayload, "the body of a renewal is {\"ttl\": SECONDS} or empty") }
        return decoded.ttl
    }
}
