import Foundation
import HTTPTypes
import Supervision
import Testing

@testable import OperatorAPI

/// Requests as clients of the published Antares API send them, and what they look for in the answers.
@Suite struct PublishedAPITests {
    let conversation = Conversation(service: FakeService())

    /// The type of each published field of a mount; `?` may be null.
    private static let mountFields = [
        "mount_id": "string", "job_id": "string?", "path": "string", "cl": "string?", "mountpoint": "string",
        "layers": "object", "state": "state", "created_at_epoch_ms": "number", "last_seen_epoch_ms": "number",
    ]

    private func expectMount(_ json: Any?, _ state: String) {
        let mount = json as? [String: Any] ?? [:]
        for (name, type) in Self.mountFields {
            let value = mount[name]
            let isRight =
                switch type {
                case "string": value is String
                case "string?": value is String || value is NSNull
                case "number": value is NSNumber
                case "object": value is [String: Any]
                default: value as? String == state
                }
            #expect(isRight, "\(name): \(value ?? "missing")")
        }
        let layers = mount["layers"] as? [String: Any]
        #expect(layers?["upper"] is String && layers?["dicfuse"] as? String == "shared" && layers?["cl"] != nil)
    }

    @Test(arguments: ["", "/antares"]) func aMountFromItsBeginToItsEnd(prefix: String) async throws {
        let request = #"{"job_id":"job-1","path":"/third-party/mega"}"#
        let made = try await conversation.send("POST", prefix + "/mounts", request)
        #expect(made.status == 200)
        let id = try #require(made.field("mount_id") as? String)
        #expect(UUID(uuidString: id) != nil)
        #expect(made.field("mountpoint") is String)

        let again = try await conversation.send("POST", prefix + "/mounts", request)
        #expect(again.status == 200 && again.field("mount_id") as? String == id)

        let list = try await conversation.send("GET", prefix + "/mounts")
        #expect(list.status == 200)
        expectMount((list.field("mounts") as? [Any])?.first, "Ready")
        expectMount(try await conversation.send("GET", prefix + "/mounts/" + id).json, "Ready")
        expectMount(try await conversation.send("GET", prefix + "/mounts/by-job/job-1").json, "Ready")

        let ready = try await conversation.send("GET", prefix + "/mounts/\(id)/ready")
        #expect(ready.text == "{\"mount_id\":\"\(id)\",\"ready\":true,\"state\":\"Ready\"}\n")

        let ended = try await conversation.send("DELETE", prefix + "/mounts/by-job/job-1")
        #expect(ended.status == 200)
        expectMount(ended.json, "Unmounted")
        #expect(try await conversation.send("GET", prefix + "/mounts/by-job/job-1").status == 404)
    }

    @Test func aBuildIsAJobWhereThereIsNone() async throws {
        _ = try await conversation.send("POST", "/mounts", #"{"build_id":"b-7","path":"/"}"#)
        #expect(try await conversation.send("GET", "/mounts/by-job/b-7").status == 200)
        _ = try await conversation.send("POST", "/mounts", #"{"job_id":null,"build_id":null,"path":"/","cl":null}"#)
        #expect(conversation.service.requests.last?.jobID == nil)
    }

    @Test func healthHasBothForms() async throws {
        let root = try await conversation.send("GET", "/health")
        #expect(root.field("status") as? String == "ok" && root.field("version") is String)
        let nested = try await conversation.send("GET", "/antares/health")
        #expect(nested.field("status") as? String == "healthy")
        for answer in [root, nested] {
            #expect(answer.field("mount_count") as? Int == 0 && answer.field("uptime_secs") is Int)
        }
    }

    @Test func errorsHaveTheirTwoFields() async throws {
        let questions: [(String, String, String, Int, String)] = [
            ("POST", "/mounts", "{", 400, "BAD_PAYLOAD"), ("POST", "/mounts", "{}", 400, "BAD_PAYLOAD"),
            ("GET", "/mounts/0", "", 400, "INVALID_REQUEST"),
            ("GET", "/mounts/00000000-0000-4000-8000-000000000000", "", 404, "NOT_FOUND"),
            ("DELETE", "/mounts/by-job/none", "", 404, "NOT_FOUND"),
        ]
        for (method, path, body, status, code) in questions {
            let answer = try await conversation.send(method, path, body)
            #expect(answer.status == status && answer.field("code") as? String == code, "\(method) \(path)")
            #expect((answer.json as? [String: Any])?.keys.sorted() == ["code", "error"])
        }
    }

    @Test(arguments: [
        ("POST", "/api/fs/mount", "POST /mounts"), ("GET", "/api/fs/mpoint", "GET /mounts"),
        ("POST", "/api/fs/unmount", "DELETE /mounts"), ("GET", "/api/fs/select/17", "/ready"),
        ("GET", "/api/config", "config show"), ("POST", "/api/config", "config show"),
    ])
    func theOldDaemonsRoutesSayWhereToGo(method: String, path: String, successor: String) async throws {
        let answer = try await conversation.send(method, path, "{}")
        #expect(answer.status == 410 && answer.field("code") as? String == "GONE")
        #expect((answer.field("error") as? String)?.contains(successor) == true, "\(answer.text)")
    }

    @Test func aLongCallCanBeLeft() async throws {
        let gate = conversation.service.holdCreates()
        let prefer = [("Prefer", "wait=5, respond-async")]
        let begun = try await conversation.send("POST", "/mounts", #"{"job_id":"a","path":"/"}"#, headers: prefer)
        #expect(begun.status == 202)
        let id = try #require(begun.field("mount_id") as? String)
        #expect(begun.headers[.location] == "/mounts/\(id)")
        #expect(begun.headers[HTTPField.Name("Preference-Applied")!] == "respond-async")
        #expect(begun.field("state") as? String == "Provisioning")
        #expect(try await conversation.send("GET", "/mounts/\(id)/ready").field("ready") as? Bool == false)
        gate.finish()
        while try await conversation.send("GET", "/mounts/\(id)/ready").field("ready") as? Bool != true {
            await Task.yield()
        }
        let ending = try await conversation.send("DELETE", "/mounts/\(id)", headers: prefer)
        #expect(ending.status == 202)
        while try await conversation.send("GET", "/mounts/\(id)").status != 404 { await Task.yield() }
        // What cannot be begun is told at once.
        #expect(try await conversation.send("DELETE", "/mounts/\(id)", headers: prefer).status == 404)
    }
}
