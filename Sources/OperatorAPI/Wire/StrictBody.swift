import FoundationEssentials
import Supervision

/// Bodies in which a slip in a name must not pass silently.
enum StrictBody {
    /// A value that is looked at elsewhere.
    private struct Ignored: Decodable {
        init(from decoder: any Decoder) {}
    }

    /// Decodes an object with no other fields than the known ones. Throws `.badPayload`, with `example` for what is no such object.
    static func decode<Body: Decodable>(
        _ type: Body.Type, from body: some Collection<UInt8>, known: [String], like example: String
    ) throws(SupervisorError) -> Body {
        if let problem = JSONStrictness.problem(of: body) { throw SupervisorError(.badPayload, problem) }
        let data = Data(body)
        guard let names = (try? JSONDecoder().decode([String: Ignored].self, from: data))?.keys else {
            throw SupervisorError(.badPayload, "the body must be like \(example)")
        }
        if let unknown = names.sorted().first(where: { !known.contains($0) }) {
            throw SupervisorError(
                .badPayload, "unknown field `\(unknown)`; known are \(known.joined(separator: ", "))")
        }
        guard let decoded = try? JSONDecoder().decode(type, from: data) else {
            throw SupervisorError(.badPayload, "a field has a value of another type; the body must be like \(example)")
        }
        return decoded
    }
}
