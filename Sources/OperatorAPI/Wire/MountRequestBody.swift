import FoundationEssentials
import Supervision

/// The body of `POST /mounts`.
struct MountRequestBody: Decodable {
    let request: MountRequest

    private struct Field: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    static let fields = [
        "path", "job_id", "build_id", "rev", "mountpoint", "uid", "gid", "labels", "origin", "cl", "cl_path", "base",
        "upper_policy", "ttl", "idle_ttl", "bind_to_client",
    ]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Field.self)
        if let unknown = container.allKeys.map(\.stringValue).sorted().first(where: { !Self.fields.contains($0) }) {
            throw PayloadError("unknown field `\(unknown)`; known are \(Self.fields.joined(separator: ", "))")
        }
        func value<Value: Decodable>(_ name: String, _ what: String) throws -> Value? {
            do {
                return try container.decodeIfPresent(Value.self, forKey: Field(stringValue: name))
            } catch {
                throw PayloadError("field `\(name)` takes \(what)")
            }
        }
        func text(_ name: String) throws -> String? { try value(name, "a string") }
        func number(_ name: String) throws -> UInt32? {
            let what = "a number from 0 to \(UInt32.max - 1)"
            let number: UInt32? = try value(name, what)
            // The kernel reads the highest number as "leave it as it is" (chown(2)).
            if number == .max { throw PayloadError("field `\(name)` takes \(what)") }
            return number
        }
        guard let path = try text("path") else {
            throw PayloadError("field `path` is missing: a directory of the repository, `/` for all of it")
        }
        var changelist: ChangelistRequest?
        let (root, base) = (try text("cl_path"), try text("base"))
        // Empty means that none was given, as in the published API.
        if let name = try text("cl"), !name.isEmpty {
            if let base, base != "cl" { throw PayloadError("field `base` takes \"cl\"; a revision is `rev`") }
            changelist = ChangelistRequest(name: name, path: root, base: base == nil ? .revision : .own)
        } else if root != nil || base != nil {
            throw PayloadError("fields `cl_path` and `base` belong to `cl`, which is missing")
        }
        var upperPolicy: UpperPolicy?
        if let name = try text("upper_policy") {
            upperPolicy = UpperPolicy(rawValue: name)
            if upperPolicy == nil { throw PayloadError("field `upper_policy` takes \"delete\" or \"keep\"") }
        }
        func seconds(_ name: String) throws -> Int? {
            let what = "a number of seconds from 1 to \(Lease.maximum)"
            let number: Int? = try value(name, what)
            if let number, !(1...Lease.maximum).contains(number) { throw PayloadError("field `\(name)` takes \(what)") }
            return number
        }
        let lease = Lease(
            timeToLive: try seconds("ttl"), idleTime: try seconds("idle_ttl"),
            isBoundToClient: try value("bind_to_client", "true or false") ?? false)
        request = MountRequest(
            path: path, jobID: try text("job_id"), buildID: try text("build_id"), revision: try text("rev"),
            mountpoint: try text("mountpoint"), uid: try number("uid"), gid: try number("gid"),
            labels: try value("labels", "an object of strings") ?? [:], origin: try text("origin"),
            upperPolicy: upperPolicy, lease: lease == Lease() ? nil : lease, changelist: changelist)
    }

    /// Decodes a body, or throws what is wrong with it.
    static func decode(_ bytes: some Collection<UInt8>) throws(SupervisorError) -> MountRequestBody {
        if let problem = JSONStrictness.problem(of: bytes) { throw SupervisorError(.badPayload, problem) }
        do {
            return try JSONDecoder().decode(MountRequestBody.self, from: Data(bytes))
        } catch let error as PayloadError {
            throw SupervisorError(.badPayload, error.message)
        } catch DecodingError.typeMismatch {
            throw SupervisorError(.badPayload, "the body is not a JSON object")
        } catch {
            throw SupervisorError(.badPayload, "the body is not JSON")
        }
    }
}

private struct PayloadError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
