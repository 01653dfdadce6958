import DescribedAPI
import Foundation
import HTTPTypes
import Supervision
import Testing

@testable import OperatorAPI

/// Holds the server to its description.
@Suite struct DescriptionTests {
    let conversation = Conversation(service: FakeService())

    private static let routes: [Route] = [
        .health, .cache, .cacheCollection, .cacheVerification, .cachePrefetch, .metrics, .events, .mounts, .mount("m"),
        .ready("m"), .reset("m"), .job("j"), .renew("m"), .drain, .status, .workers, .openAPI, .logs, .configuration,
        .changelist("m"),
        .diff("m"),
    ]

    private func described() async throws -> APIDescription {
        let answer = try await conversation.send("GET", "/openapi.json")
        #expect(answer.status == 200)
        return try APIDescription(answer.text.utf8)
    }

    @Test func everyRouteIsDescribedAndNoOther() async throws {
        let description = try await described()
        let (document, schema) = (description.document, description.schema)
        #expect(document["openapi"] as? String == "3.1.0")
        var described: [String: Set<String>] = [:]
        for operation in description.operations {
            let pattern = operation.path.replacingOccurrences(of: "{mount_id}", with: "{id}")
                .replacingOccurrences(of: "{job_id}", with: "{id}")
            described[pattern, default: []].insert(operation.method)
        }
        let served = Dictionary(uniqueKeysWithValues: Self.routes.map { ($0.pattern, Set($0.methods)) })
        #expect(described == served)
        let error = schema.resolve("#/components/schemas/Error/properties/code")
        #expect((error["enum"] as? [String]).map(Set.init) == Set(SupervisorError.Code.allCases.map(\.rawValue)))
        let fields = schema.resolve("#/components/schemas/MountRequest/properties").keys.sorted()
        #expect(fields == MountRequestBody.fields.sorted())
        // And no reference leads nowhere.
        func references(_ value: Any) -> [String] {
            if let object = value as? [String: Any] {
                return ((object["$ref"] as? String).map { [$0] } ?? []) + object.values.flatMap(references)
            }
            return (value as? [Any])?.flatMap(references) ?? []
        }
        for target in Set(references(document)) { #expect(!schema.resolve(target).isEmpty, "\(target)") }
    }

    /// A parameter that several operations have is described once.
    @Test func parametersAreNotRepeated() async throws {
        let description = try await described()
        var seen: [String: APIDescription.Operation] = [:]
        let paths = try #require(description.document["paths"] as? [String: [String: [String: Any]]])
        for operation in description.operations {
            let parameters = paths[operation.path]?[operation.method.lowercased()]?["parameters"] as? [[String: Any]]
            for parameter in parameters ?? [] where parameter["$ref"] == nil {
                let name = "\(parameter["in"] ?? "") \(parameter["name"] ?? "")"
                let other = seen.updateValue(operation, forKey: name)
                #expect(other == nil, "\(name): \(operation), \(other as Any)")
            }
            // Every name in the path is one of them.
            let named = Set(
                (parameters ?? []).map { parameter in
                    (parameter["$ref"] as? String).map(description.schema.resolve) ?? parameter
                }.filter { $0["in"] as? String == "path" }.compactMap { $0["name"] as? String })
            let wanted = Set(
                operation.path.split(separator: "/").filter { $0.hasPrefix("{") }.map {
                    String($0.dropFirst().dropLast())
                })
            #expect(named == wanted, "\(operation)")
        }
    }

    @Test func everyAnswerIsAsDescribed() async throws {
        let description = try await described()
        let made = try await conversation.send("POST", "/mounts", #"{"path":"/","job_id":"j","ttl":60}"#)
        let id = try #require(made.field("mount_id") as? String)
        let bodies = ["POST /mounts": #"{"path":"/","labels":{"a":"b"}}"#, "POST /cache/prefetch": "{}"]
        var seen: Set<Int> = []
        func look(_ method: String, _ path: String, _ target: String, _ body: String) async throws {
            let query = path == "/events" ? "?follow=false" : ""
            let answer = try await conversation.send(method, target + query, body)
            seen.insert(answer.status)
            let problems = description.problems(
                of: APIDescription.Operation(method, path), status: answer.status,
                contentType: answer.headers[.contentType], body: answer.text.utf8)
            #expect(problems == [], "\(target): \(answer.text)")
        }
        // What is right, deletions last; then what is not.
        let all = description.operations.map { ($0.method, $0.path) }
            .sorted { ($0.0 == "DELETE" ? 1 : 0, $0.1) < ($1.0 == "DELETE" ? 1 : 0, $1.1) }
        for (method, path) in all where !(method == "DELETE" && path.contains("{job_id}")) {
            let target = path.replacingOccurrences(of: "{mount_id}", with: id)
                .replacingOccurrences(of: "{job_id}", with: "j")
            try await look(method, path, target, bodies["\(method) \(path)"] ?? "")
        }
        for (method, path) in all where path.contains("{") {
            let unknown = "00000000-0000-4000-8000-000000000000"
            let target = path.replacingOccurrences(of: "{mount_id}", with: unknown)
                .replacingOccurrences(of: "{job_id}", with: "none")
            try await look(method, path, target, "")
        }
        try await look("POST", "/mounts", "/mounts", "{")
        conversation.service.fail(with: SupervisorError(.overloaded, "full", retryAfter: 3))
        try await look("POST", "/mounts", "/mounts", #"{"path":"/"}"#)
        #expect(seen.isSuperset(of: [200, 202, 400, 404, 503]))
    }

    @Test func whereThereIsNoOperationTheAnswerIsAsDescribedToo() async throws {
        let description = try await described()
        func look(
            _ method: String, _ target: String, _ status: Int, headers: [(String, String)] = []
        ) async throws -> Conversation.Answer {
            let answer = try await conversation.send(method, target, headers: headers)
            #expect(answer.status == status, "\(method) \(target): \(answer.text)")
            let problems = description.problems(
                ofResponse: "E\(status)", contentType: answer.headers[.contentType], body: answer.text.utf8)
            #expect(problems == [], "\(method) \(target)")
            return answer
        }
        for route in Self.routes {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] where !route.methods.contains(method) {
                let answer = try await look(method, route.pattern, 405)
                #expect(answer.headers[.allow] == route.methods.joined(separator: ", "))
            }
        }
        for target in ["/api/fs/mount", "/api/fs/select/1", "/antares/api/fs/mpoint", "/api/config"] {
            for method in ["GET", "POST"] { _ = try await look(method, target, 410) }
        }
        _ = try await look("GET", "/health", 417, headers: [("Expect", "a-miracle")])
        // Each answer that is described is one of an operation, or of these.
        let info = try #require(description.document["info"] as? [String: Any])
        let others = try #require(info["description"] as? String)
        let text = try await conversation.send("GET", "/openapi.json").text
        for name in description.schema.resolve("#/components/responses").keys {
            let target = "#/components/responses/\(name)"
            #expect(text.contains("\"$ref\": \"\(target)\"") || others.contains(target), "\(name)")
        }
    }

    @Test func aWrongAnswerWouldBeSeen() async throws {
        let schema = try await described().schema
        let form = schema.resolve("#/components/schemas/Ready")
        #expect(schema.problems(of: ["mount_id": "m", "ready": true, "state": "Ready"], against: form) == [])
        for wrong: [String: Any] in [
            ["mount_id": "m", "ready": true], ["mount_id": "m", "ready": 1, "state": "Ready"],
            ["mount_id": "m", "ready": true, "state": "Asleep"],
            ["mount_id": "m", "ready": true, "state": "Ready", "more": 1],
        ] {
            #expect(schema.problems(of: wrong, against: form) != [], "\(wrong)")
        }
    }
}
