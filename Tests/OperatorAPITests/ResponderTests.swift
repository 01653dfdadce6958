import FoundationEssentials
import HTTPTypes
import Hummingbird
import LinuxSystem
import Logging
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

@Suite struct ResponderTests {
    let service = FakeService()

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", overTCP: Bool = false, type: String? = nil,
        caller: Caller = Caller(uid: 1000, gid: 100, pid: 5)
    ) async throws -> (status: Int, body: String, headers: HTTPFields) {
        let responder = OperatorResponder(service: service, logger: quietLogger, version: "test")
        var head = HTTPRequest(method: method, scheme: "http", authority: "x", path: path)
        head.headerFields[.contentType] = type
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))
        let response = await responder.respond(to: request, caller: caller, overTCP: overTCP)
        let writer = BodyCollector()
        try await response.body.write(writer)
        return (response.status.code, writer.text, response.headers)
    }

    private func object(_ json: String) throws -> [String: JSON] {
        try JSONDecoder().decode([String: JSON].self, from: Data(json.utf8))
    }

    @Test func whatIsSlowIsSaidAndWhatReadsIsNotAudited() async throws {
        let (said, audited) = (Guarded<[Logger.Metadata]>([]), Guarded<[Logger.Metadata]>([]))
        let limit = Guarded(Duration.zero)
        var responder = OperatorResponder(
            service: service, logger: Logger(label: "api") { _ in CollectingLogHandler(lines: said) }, version: "test",
            audit: Logger(label: "audit") { _ in CollectingLogHandler(lines: audited) }, slow: { limit.with { $0 } })
        responder.configuration = { "[supervisor]\n" }
        func ask(_ method: HTTPRequest.Method, _ path: String) async -> Response {
            let head = HTTPRequest(method: method, scheme: "http", authority: "x", path: path)
            let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
            return await responder.respond(to: request, caller: Caller(uid: 7, gid: 7, pid: 5))
        }
        func slow() -> [Logger.Metadata] { said.with { $0.filter { $0["duration_ms"] != nil } } }
        let answer = await ask(.get, "/config")
        #expect(answer.status == .ok && answer.headers[.contentType] == "application/toml; charset=utf-8")
        #expect(slow().count == 1 && slow().first?["route"] == "/config" && slow().first?["uid"] == "7")
        limit.with { $0 = .seconds(60) }
        _ = await ask(.get, "/config")
        _ = await ask(.post, "/drain")
        #expect(slow().count == 1)
        #expect(audited.with { $0.map { $0["route"] } } == ["/drain"])
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
            ]), "lower": .string("lazy"), "incidents": .array([]), "unmount": .null, "switch": .null,
            "upper_policy": .null,
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

    @Test func metricsAreText() async throws {
        let answer = try await send(.get, "/antares/metrics")
        #expect(answer.status == 200)
        #expect(answer.headers[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        #expect(answer.body.hasSuffix("antares_up 1\n"))
        #expect(try await send(.post, "/metrics").status == 405)
    }

    @Test func keptEventsAreAStreamWithAnEnd() async throws {
        service.events.record(.mountReady, job: "j", duration: .microseconds(2500), details: [("commit", "c")])
        service.events.record(.takeover, cause: "signal 9")
        let answer = try await send(.get, "/events?follow=false")
        #expect(answer.status == 200)
        #expect(answer.headers[.contentType] == "text/event-stream")
        let blocks = answer.body.split(separator: "\n\n").map { $0.split(separator: "\n").map(String.init) }
        try #require(blocks.count == 2)
        #expect(blocks[0][1] == "event: mount_ready")
        let data = try object(String(blocks[0][2].dropFirst("data: ".count)))
        #expect(data["kind"] == .string("mount_ready"))
        #expect(data["job_id"] == .string("j"))
        #expect(data["duration_ms"] == .number(2.5))
        #expect(data["details"] == .object(["commit": .string("c")]))
        #expect(data["mount_id"] == nil)
        let first = blocks[0][0].dropFirst("id: ".count)
        let rest = try await send(.get, "/events?follow=false&after=\(first)")
        #expect(rest.body == answer.body.split(separator: "\n\n").last.map { $0 + "\n\n" })
        #expect(try await send(.get, "/events?follow=false&after=\(service.events.newest)").body == "")
        // An id of an earlier supervisor.
        #expect(try await send(.get, "/events?follow=false&after=5").body.hasPrefix("event: gap\n"))
    }

    @Test(arguments: ["after=x", "after=-1", "follow=maybe"]) func badQuestionsForEventsAreRefused(_ query: String)
        async throws
    {
        #expect(try await send(.get, "/events?\(query)").status == 400)
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
        let reset = try await send(.post, "/mounts/\(id)/reset")
        #expect(reset.status == 200)
        #expect(reset.body.contains(#""last_restart_cause":"reset""#))
        #expect(try await send(.get, "/mounts/\(id)/reset").status == 405)
        let removed = try await send(.delete, "/mounts/by-job/a%2Fb")
        #expect(removed.status == 200)
        #expect(try object(removed.body)["state"] == .string("Unmounted"))
        #expect(try object(removed.body)["worker"] == .null)
        #expect(try await send(.get, "/mounts/\(id)").status == 404)
        #expect(try await send(.delete, "/mounts/\(id)").status == 404)
    }

    @Test(arguments: [
        ("/cache/gc", #"{"target_byte":5}"#, "target_bytes"), ("/cache/prefetch", #"{"revision":"v1"}"#, "rev"),
        ("/mounts/00000000-0000-4000-8000-000000000001/renew", #"{"tl":5}"#, "ttl"),
    ])
    func aSlipInTheNameOfAFieldIsAnError(path: String, body: String, known: String) async throws {
        let answer = try await send(.post, path, body)
        #expect(answer.status == 400 && answer.body.contains("unknown field") && answer.body.contains(known))
        #expect(try await send(.get, "/events?follow=false&affter=1").status == 400)
    }

    @Test func prefetch() async throws {
        let all = try await send(.post, "/cache/prefetch", "{}")
        #expect(all.status == 202)
        #expect(all.body == "{\"preload\":3,\"origin\":\"main\",\"commit\":\"0123\",\"sealed\":false}\n")
        let body = #"{"origin":"o","rev":"v1","path":"/a","depth":2,"contents":true}"#
        #expect(try await send(.post, "/antares/cache/prefetch", body).status == 202)
        var wanted = PrefetchRequest()
        #expect(service.prefetches.first == wanted)
        (wanted.origin, wanted.revision, wanted.path, wanted.depth, wanted.contents) = ("o", "v1", "/a", 2, true)
        #expect(service.prefetches.last == wanted)
        for wrong in ["", "[]", #"{"depth":-1}"#, #"{"contents":"yes"}"#] {
            #expect(try await send(.post, "/cache/prefetch", wrong).status == 400)
        }
        #expect(try await send(.get, "/cache/prefetch").status == 405)
        #expect(service.prefetches.count == 2)
    }

    @Test func theCacheIsShownAndMaintained() async throws {
        let status = try await send(.get, "/cache")
        #expect(status.status == 200)
        #expect(status.body == "{\"version\":\"x\"}\n")
        let verification = try await send(.post, "/cache/verify")
        #expect(verification.status == 202)
        #expect(verification.body == "{\"sweep\":7}\n")
        #expect(try await send(.post, "/cache/gc").status == 202)
        #expect(try await send(.post, "/cache/gc", "{\"target_bytes\":1000}").status == 202)
        #expect(service.collections == [nil, 1000])
        #expect(try await send(.post, "/cache/gc", "{\"target_bytes\":-1}").status == 400)
        #expect(try await send(.post, "/cache/gc", caller: PeerCredentials.nobody).status == 403)
        #expect(try await send(.post, "/cache/verify", caller: PeerCredentials.nobody).status == 403)
        #expect(try await send(.get, "/cache/verify").status == 405)
        #expect(service.collections.count == 2)
    }

    @Test func health() async throws {
        let healthy = try object(try await send(.get, "/health").body)
        #expect(
            healthy == [
                "status": .string("ok"), "mount_count": .number(0), "uptime_secs": .number(5),
                "version": .string("test"), "spare_workers": .number(4), "cache_pid": .number(77),
                "problems": .array([]), "processes": .array([]),
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
        (#"{"path":"/","path":"/a"}"#, "field `path` is there twice"),
        (#"{"path":"/","p\u0061th":"/a"}"#, "field `path` is there twice"),
        (#"{"path":"/","labels":{"a":"1","b":"2","a":"3"}}"#, "field `a` is there twice"),
        (#"{"path":"/",}"#, "a comma before `}`"), ("{\"path\":\"/\",\n}", "a comma before `}`"),
        (#"{"path":"/","labels":{"a":"1",}}"#, "a comma before `}`"),
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

    @Test func aChangelistIsAskedForAndShown() async throws {
        let answer = try await send(
            .post, "/mounts", #"{"path":"/a","cl":"ABC","cl_path":"/a/b","base":"cl","rev":null}"#)
        #expect(answer.status == 200)
        let shown = try object(answer.body)
        #expect(shown["cl"] == .string("ABC") && shown["cl_path"] == .string("/a/b") && shown["base"] == .string("cl"))
        #expect(try await send(.post, "/mounts", #"{"path":"/","cl":"D","rev":"v1"}"#).status == 200)
        #expect(try object(try await send(.post, "/mounts", #"{"path":"/","cl":"E"}"#).body)["base"] == .string("head"))
        // As in the published API an empty name is none.
        #expect(try object(try await send(.post, "/mounts", #"{"path":"/","cl":""}"#).body)["cl"] == .null)
        #expect(
            service.requests.map(\.changelist) == [
                ChangelistRequest(name: "ABC", path: "/a/b", base: .own), ChangelistRequest(name: "D"),
                ChangelistRequest(name: "E"), nil,
            ])
        for body in [
            #"{"path":"/","cl":5}"#, #"{"path":"/","cl_path":"/"}"#, #"{"path":"/","base":"cl"}"#,
            #"{"path":"/","cl":"A","base":"head"}"#,
        ] {
            let answer = try await send(.post, "/mounts", body)
            #expect(answer.status == 400 && answer.body.contains("BAD_PAYLOAD"), "\(body)")
        }
    }

    @Test func changelistsAreExchanged() async throws {
        let id = try await service.create(MountRequest(path: "/"), caller: Caller(uid: 1000, gid: 100, pid: 5)).id
        for (method, path, body, wanted) in [
            (HTTPRequest.Method.post, "cl", #"{"cl":"A"}"#, SwitchRequest(changelist: ChangelistRequest(name: "A"))),
            (
                .post, "cl", #"{"cl":"A","cl_path":"/x","base":"cl","carry":true}"#,
                SwitchRequest(changelist: ChangelistRequest(name: "A", path: "/x", base: .own), writes: .carry)
            ),
            (
                .post, "cl", #"{"cl":"A","rev":"main","discard":true,"carry":false}"#,
                SwitchRequest(changelist: ChangelistRequest(name: "A"), revision: "main", writes: .discard)
            ),
            (.delete, "cl", "", SwitchRequest(changelist: nil)),
            (.delete, "cl?carry", "", SwitchRequest(changelist: nil, writes: .carry)),
            (.delete, "cl?discard=true", "", SwitchRequest(changelist: nil, writes: .discard)),
            (.delete, "cl", #"{"carry":true}"#, SwitchRequest(changelist: nil, writes: .carry)),
        ] as [(HTTPRequest.Method, String, String, SwitchRequest)] {
            let answer = try await send(method, "/mounts/\(id)/\(path)", body)
            #expect(answer.status == 200, "\(answer.body)")
            #expect(service.exchanges.last == wanted, "\(path) \(body)")
            #expect(answer.body.contains(#""state":"done""#))
        }
        for (method, path, body) in [
            (HTTPRequest.Method.post, "cl", "{}"), (.post, "cl", ""), (.post, "cl", #"{"cl":""}"#),
            (.post, "cl", #"{"cl":5}"#), (.post, "cl", #"{"cl":"A","x":1}"#),
            (.post, "cl", #"{"cl":"A","base":"rev"}"#),
            (.post, "cl", #"{"cl":"A","carry":true,"discard":true}"#), (.post, "cl", #"{"cl":"A","carry":"yes"}"#),
            (.delete, "cl?x=1", ""), (.delete, "cl?carry=maybe", ""), (.delete, "cl?carry&discard", ""),
            (.delete, "cl", #"{"cl":"A"}"#),
        ] {
            #expect(try await send(method, "/mounts/\(id)/\(path)", body).status == 400, "\(path) \(body)")
        }
        let count = service.exchanges.count
        #expect(try await send(.post, "/mounts/\(MountID.random())/cl", #"{"cl":"A"}"#).status == 404)
        #expect(service.exchanges.count == count)
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
            (.post, "/mounts/by-job/x", "GET, DELETE"), (.patch, "/mounts", "GET, POST"),
        ] {
            let answer = try await send(method, path)
            #expect(answer.status == 405)
            #expect(answer.headers[.allow] == allow)
            #expect(try object(answer.body)["code"] == .string("INVALID_REQUEST"))
        }
        let head = try await send(.head, "/mounts")
        #expect(head.status == 200 && head.body == "" && head.headers[.contentLength] != "0")
        #expect(try await send(.head, "/events").status == 405, "it has no end")
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

final class BodyCollector: ResponseBodyWriter {
    private(set) var text = ""

    func write(_ buffer: ByteBuffer) async throws {
        text += String(buffer: buffer)
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
