import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

@Suite struct ResponderTests {
    let service = FakeService()

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", overTCP: Bool = false, type: String? = nil
    ) async throws -> (status: Int, body: String, headers: HTTPFields) {
        let responder = OperatorResponder(service: service, logger: quietLogger, version: "test")
        var head = HTTPRequest(method: method, scheme: "http", authority: "x", path: path)
        head.headerFields[.contentType] = type
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))
        let response = try await responder.respond(
            to: request, caller: Caller(uid: 1000, gid: 100, pid: 5), overTCP: overTCP)
        let writer = BodyCollector()
        try await response.body.write(writer)
        return (response.status.code, writer.text, response.headers)
    }

    private func object(_ json: String) throws -> [String: JSON] {
        try JSONDecoder().decode([String: JSON].self, from: Data(json.utf8))
    }

    @Test func aMountHasThePublishedFieldsAndOurs() async throws {
        let answer = try await send(
            .post, "/antares/mounts",
            """
            {"path":"/third-party","job_id":"j 1","build_id":"b","rev":"v1","uid":1000,"gid":100,
             "labels":{"team":"x"},"origin":"main","mountpoint":"/builds/1","cl":null}
            """)
        #expect(answer.status == 200)
        #expect(answer.headers[.contentType] == "application/json")
        let status = try #require(await service.mounts().first)
        let expected: [String: JSON] = [
            "mount_id": .string("\(status.id)"), "job_id": .string("j 1"), "path": .string("/third-party"), "cl": .null,
            "mountpoint": .string("/mnt/\(status.id)"), "state": .string("Ready"),
            "layers": .object([
                "upper": .string("/upper/\(status.id)"), "cl": .null, "dicfuse": .string("shared"),
            ]),
            "created_at_epoch_ms": .number(1_700_000_000_000), "last_seen_epoch_ms": .number(1_700_000_000_001),
            "build_id": .string("b"), "commit": .string("0123456789012345678901234567890123456789"),
            "origin": .string("main"), "rev": .string("v1"), "uid": .number(1000), "gid": .number(100),
            "labels": .object(["team": .string("x")]), "ready_after_ms": .number(2.5),
            "worker": .object([
                "pid": .number(42), "restarts": .number(1), "last_restart_cause": .string("signal 9"),
                "memory_bytes": .number(81920), "waiting": .null, "served": .number(7),
            ]),
        ]
        #expect(try object(answer.body) == expected)
        let asked = MountRequest(
            path: "/third-party", jobID: "j 1", buildID: "b", revision: "v1", mountpoint: "/builds/1", uid: 1000,
            gid: 100, labels: ["team": "x"], origin: "main")
        #expect(service.requests == [asked])
        #expect(service.callers == [Caller(uid: 1000, gid: 100, pid: 5)])
    }

    @Test func failedStatesCarryTheirReason() throws {
        func encoded(_ state: MountState) throws -> String {
            String(decoding: try JSONEncoder().encode([MountStateBody(state)]), as: UTF8.self)
        }
        #expect(try encoded(.provisioning) == #"["Provisioning"]"#)
        #expect(try encoded(.failed(reason: "no \"root\"")) == #"[{"Failed":{"reason":"no \"root\""}}]"#)
        #expect(try encoded(.quarantined(reason: "r")) == #"[{"Failed":{"reason":"r"}}]"#)
    }

    @Test func theSameJobIsTheSameMount() async throws {
        let first = try await send(.post, "/mounts", #"{"path":"/","job_id":"j"}"#)
        let second = try await send(.post, "/mounts", #"{"path":"/","job_id":"j"}"#)
        #expect(first.body == second.body)
        #expect(try await send(.get, "/mounts/by-job/j").body == first.body)
        let list = try await send(.get, "/mounts")
        #expect(list.body == "{\"mounts\":[\(first.body.dropLast())]}\n")
    }

    @Test func readyAndRemoval() async throws {
        _ = try await send(.post, "/mounts", #"{"path":"/","job_id":"a/b"}"#)
        let id = try #require(await service.mounts().first?.id)
        let ready = try await send(.get, "/mounts/\(id)/ready")
        #expect(ready.body == "{\"mount_id\":\"\(id)\",\"ready\":true,\"state\":\"Ready\"}\n")
        let removed = try await send(.delete, "/mounts/by-job/a%2Fb")
        #expect(removed.status == 200)
        #expect(try object(removed.body)["state"] == .string("Unmounted"))
        #expect(try object(removed.body)["worker"] == .null)
        #expect(try await send(.get, "/mounts/\(id)").status == 404)
        #expect(try await send(.delete, "/mounts/\(id)").status == 404)
    }

    @Test func health() async throws {
        let healthy = try object(try await send(.get, "/health").body)
        #expect(
            healthy == [
                "status": .string("healthy"), "mount_count": .number(0), "uptime_secs": .number(5),
                "version": .string("test"), "spare_workers": .number(4), "cache_pid": .number(77),
                "problems": .array([]),
            ])
        service.fail(with: SupervisorError(.internalError, "the cache owner is down"))
        let degraded = try object(try await send(.get, "/antares/health").body)
        #expect(degraded["status"] == .string("degraded"))
        #expect(degraded["cache_pid"] == .null)
        #expect(degraded["problems"] == .array([.string("the cache owner is down")]))
    }

    @Test(arguments: [
        ("", "the body is not JSON"), ("{", "the body is not JSON"), ("[]", "the body is not a JSON object"),
        (#""x""#, "the body is not a JSON object"), ("{}", "field `path` is missing"),
        (#"{"path":null}"#, "field `path` is missing"), (#"{"path":5}"#, "field `path` takes a string"),
        (#"{"path":"/","jobid":"x"}"#, "unknown field `jobid`; known are path, job_id"),
        (#"{"path":"/","uid":"1"}"#, "field `uid` takes a number from 0 to 4294967294"),
        (#"{"path":"/","uid":-1}"#, "field `uid` takes a number"), (#"{"path":"/","gid":1.5}"#, "field `gid` takes"),
        (#"{"path":"/","gid":4294967295}"#, "field `gid` takes a number"),
        (#"{"path":"/","labels":{"a":1}}"#, "field `labels` takes an object of strings"),
        (#"{"path":"/","labels":[]}"#, "field `labels` takes an object of strings"),
    ])
    func badPayloadsSayWhy(body: String, message: String) async throws {
        let answer = try await send(.post, "/mounts", body)
        #expect(answer.status == 400)
        #expect(try object(answer.body)["code"] == .string("BAD_PAYLOAD"))
        #expect(answer.body.contains(message), "\(answer.body)")
        #expect(service.requests.isEmpty)
    }

    @Test func bodiesAreBounded() async throws {
        let long = #"{"path":"/"# + String(repeating: "a", count: OperatorResponder.maximumBody) + #""}"#
        let answer = try await send(.post, "/mounts", long)
        #expect(answer.status == 400)
        #expect(answer.body.contains("longer than 65536 bytes"))
        let longest = #"{"path":"/"# + String(repeating: "a", count: OperatorResponder.maximumBody - 12) + #""}"#
        #expect(try await send(.post, "/mounts", longest).status == 200)
    }

    @Test func changelistsAreRefused() async throws {
        for (method, path, body) in [
            (HTTPRequest.Method.post, "/mounts", #"{"path":"/","cl":"ABC"}"#),
            (.post, "/mounts/\(MountID.random())/cl", #"{"cl":"ABC"}"#),
            (.delete, "/mounts/\(MountID.random())/cl", ""),
        ] {
            let answer = try await send(method, path, body)
            #expect(answer.status == 400)
            #expect(answer.body.contains("INVALID_REQUEST") && answer.body.contains("changelists are not served"))
        }
    }

    @Test func theServicesErrorsPassThrough() async throws {
        for code in SupervisorError.Code.allCases {
            service.fail(with: SupervisorError(code, "what, where, what to do", cause: "secret detail"))
            for (method, path, body) in [
                (HTTPRequest.Method.post, "/mounts", #"{"path":"/"}"#), (.get, "/mounts/by-job/x", ""),
                (.delete, "/mounts/\(MountID.random())", ""),
            ] {
                let answer = try await send(method, path, body)
                #expect(answer.status == code.status.code)
                #expect(
                    try object(answer.body) == [
                        "error": .string("what, where, what to do"), "code": .string(code.rawValue),
                    ])
            }
        }
    }

    @Test func unknownRoutesAndMethods() async throws {
        let unknown = try await send(.get, "/mount")
        #expect(unknown.status == 404)
        #expect(try object(unknown.body)["code"] == .string("NOT_FOUND"))
        for (method, path, allow) in [
            (HTTPRequest.Method.put, "/mounts", "GET, POST"), (.post, "/health", "GET"),
            (.delete, "/mounts", "GET, POST"),
            (.post, "/mounts/by-job/x", "GET, DELETE"), (.head, "/mounts", "GET, POST"),
        ] {
            let answer = try await send(method, path)
            #expect(answer.status == 405)
            #expect(answer.headers[.allow] == allow)
            #expect(try object(answer.body)["code"] == .string("INVALID_REQUEST"))
        }
        let noID = try await send(.get, "/mounts/17")
        #expect(noID.status == 400)
        #expect(noID.body.contains("by-job"))
    }

    @Test func aBrowserCannotMakeAMount() async throws {
        let body = #"{"path":"/"}"#
        #expect(try await send(.post, "/mounts", body, overTCP: true, type: "text/plain").status == 400)
        #expect(service.requests.isEmpty)
        #expect(try await send(.post, "/mounts", body, overTCP: true, type: "Application/JSON").status == 200)
        #expect(try await send(.post, "/mounts", body, type: "application/x-www-form-urlencoded").status == 200)
    }
}

/// Any JSON, to compare whole answers.
enum JSON: Hashable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }
}

private final class BodyCollector: ResponseBodyWriter {
    private(set) var text = ""

    func write(_ buffer: ByteBuffer) async throws {
        text += String(buffer: buffer)
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
