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
        .ready("m"), .reset("m"), .job("j"), .renew("m"), .drain, .status, .workers, .openAPI, .logs, .changelist("m"),
        .diff("m"),
    ]

    private func document() async throws -> [String: Any] {
        let answer = try await conversation.send("GET", "/openapi.json")
        #expect(answer.status == 200)
        return try #require(answer.json as? [String: Any], "\(answer.text.prefix(300))")
    }

    @Test func everyRouteIsDescribedAndNoOther() async throws {
        let document = try await document()
        #expect(document["openapi"] as? String == "3.1.0")
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        var described: [String: Set<String>] = [:]
        for (path, methods) in paths {
            let pattern = path.replacingOccurrences(of: "{mount_id}", with: "{id}")
                .replacingOccurrences(of: "{job_id}", with: "{id}")
            described[pattern] = Set(methods.keys.map { $0.uppercased() })
        }
        let served = Dictionary(uniqueKeysWithValues: Self.routes.map { ($0.pattern, Set($0.methods)) })
        #expect(described == served)
        let schema = Schema(document: document)
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

    @Test func everyAnswerIsAsDescribed() async throws {
        let document = try await document()
        let schema = Schema(document: document)
        let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
        let made = try await conversation.send("POST", "/mounts", #"{"path":"/","job_id":"j","ttl":60}"#)
        let id = try #require(made.field("mount_id") as? String)
        let bodies = ["POST /mounts": #"{"path":"/","labels":{"a":"b"}}"#, "POST /cache/prefetch": "{}"]
        var seen: Set<Int> = []
        func look(_ method: String, _ path: String, _ target: String, _ body: String) async throws {
            let operation = try #require(paths[path]?[method.lowercased()], "\(method) \(path)")
            let query = path == "/events" ? "?follow=false" : ""
            let answer = try await conversation.send(method, target + query, body)
            seen.insert(answer.status)
            var response = (operation["responses"] as? [String: [String: Any]])?["\(answer.status)"] ?? [:]
            if let target = response["$ref"] as? String { response = schema.resolve(target) }
            let content = response["content"] as? [String: [String: Any]]
            #expect(content != nil, "\(method) \(target): \(answer.status) is not described")
            let type = answer.headers[.contentType]?.split(separator: ";").first.map(String.init) ?? "-"
            let form = content?[type]?["schema"] as? [String: Any]
            #expect(form != nil, "\(method) \(target): \(type) is not described")
            if type == "application/json", let form {
                #expect(schema.problems(of: answer.json, against: form) == [], "\(method) \(target): \(answer.text)")
            }
        }
        // What is right, deletions last; then what is not.
        let all = paths.flatMap { path, operations in operations.keys.map { ($0.uppercased(), path) } }
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

    @Test func aWrongAnswerWouldBeSeen() async throws {
        let document = try await document()
        let schema = Schema(document: document)
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
