import Supervision

/// The body of `POST /mounts/{id}/renew`: empty, or `{"ttl": SECONDS}`.
struct RenewalBody: Decodable {
    let ttl: Int?

    static func timeToLive(_ body: some Collection<UInt8>) throws(SupervisorError) -> Int? {
        if body.isEmpty { return nil }
        let decoded = try StrictBody.decode(
            RenewalBody.self, from: body, known: ["ttl"], like: "{\"ttl\": SECONDS}, or empty")
        guard decoded.ttl.map({ (1...Lease.maximum).contains($0) }) ?? true else {
            throw SupervisorError(.badPayload, "field `ttl` takes a number of seconds from 1 to \(Lease.maximum)")
        }
        return decoded.ttl
    }
}
