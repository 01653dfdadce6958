import Glibc
import HTTPTypes
import Hummingbird
import LinuxSystem
import Logging
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

/// Who may do what.
@Suite(.timeLimit(.minutes(2))) struct AccessTests {
    private static func policy() -> AccessPolicy {
        var policy = AccessPolicy()
        (policy.operators, policy.agents, policy.readers) = ([10], [20, 21], [30])
        return policy
    }

    @Test func theHighestOfAllGroupsCounts() {
        let policy = Self.policy()
        #expect(policy.role(uid: 1000, groups: [1000, 30]) == .reader)
        #expect(policy.role(uid: 1000, groups: [1000, 30, 21]) == .agent)
        #expect(policy.role(uid: 1000, groups: [10, 20, 30]) == .operator)
        #expect(policy.role(uid: 1000, groups: [1000]) == nil)
        #expect(policy.role(uid: 0, groups: []) == .operator)
        #expect(policy.role(uid: 7, groups: [], supervisor: 7) == .operator)
    }

    @Test func whereNoGroupHasARoleTheSocketsOwnDecides() {
        var policy = AccessPolicy()
        #expect(policy.role(uid: 1000, groups: [5]) == nil)
        #expect(policy.role(uid: 0, groups: []) == .operator)
        policy.socketGroup = 5
        #expect(policy.role(uid: 1000, groups: [5]) == .operator)
        #expect(policy.role(uid: 1000, groups: [6]) == nil)
        policy.readers = [5]
        #expect(policy.role(uid: 1000, groups: [5]) == .reader)
    }

    @Test func everyRouteIsDecidedForEveryRole() {
        let routes: [(HTTPRequest.Method, Route, agent: Bool, reader: Bool)] = [
            (.get, .health, true, true), (.get, .mounts, true, true), (.post, .mounts, true, false),
            (.get, .mount("m"), true, true), (.delete, .mount("m"), true, false), (.get, .job("j"), true, true),
            (.delete, .job("j"), true, false), (.post, .renew("m"), true, false), (.post, .reset("m"), true, false),
            (.get, .diff("m"), true, true), (.get, .events, true, true), (.get, .metrics, false, true),
            (.get, .cache, false, true), (.get, .configuration, false, true),
            (.post, .cacheCollection, false, false), (.post, .cacheVerification, false, false),
            (.post, .cachePrefetch, false, false), (.post, .drain, false, false), (.delete, .drain, false, false),
        ]
        for (method, route, agent, reader) in routes {
            #expect(AccessRules.allow(.operator, method, route))
            #expect(AccessRules.allow(.agent, method, route) == agent, "\(method) \(route)")
            #expect(AccessRules.allow(.reader, method, route) == reader, "\(method) \(route)")
        }
    }

    @Test func aTreeIsItsCallersUnlessTheRequestSaysOtherwise() {
        var caller = Caller(uid: 65534, gid: 65534, pid: 0)
        #expect(caller.owner(of: MountRequest(path: "/")) == (65534, 65534))
        caller.ownsAsRoot = true
        #expect(caller.owner(of: MountRequest(path: "/")) == (0, 0))
        #expect(caller.owner(of: MountRequest(path: "/", gid: 8)) == (0, 8))
        #expect(caller.owner(of: MountRequest(path: "/", uid: 7)) == (7, 65534))
        #expect(caller.owner(of: MountRequest(path: "/", uid: 7, gid: 8)) == (7, 8))
    }

    @Test func anAgentActsForItself() {
        let agent = Caller(uid: 1000, gid: 100, pid: 1, groups: [100, 200], role: .agent)
        #expect(agent.mayActFor(uid: nil, gid: nil))
        #expect(agent.mayActFor(uid: 1000, gid: 200))
        #expect(!agent.mayActFor(uid: 0, gid: nil))
        #expect(!agent.mayActFor(uid: 1000, gid: 300))
        #expect(Caller(uid: 1, gid: 1, pid: 1).mayActFor(uid: 0, gid: 0))
    }

    @Test func hostAndOriginAreOurs() {
        let rules = HostRules(listen: "127.0.0.1:2725", allowed: ["Farm.example"])
        for host in ["127.0.0.1:2725", "localhost", "localhost:80", "[::1]:2725", "farm.example", "FARM.example:443"] {
            #expect(rules.allow(host: host, origin: nil), "\(host)")
        }
        for host in [nil, "", "evil.example", "127.0.0.1.evil.example:2725", "localhost.", "10.0.0.1:2725"] {
            #expect(!rules.allow(host: host, origin: nil), "\(host ?? "-")")
        }
        #expect(rules.allow(host: "localhost", origin: "https://farm.example"))
        for origin in ["http://evil.example", "null", "file://", "http://localhost.evil.example"] {
            #expect(!rules.allow(host: "localhost", origin: origin), "\(origin)")
        }
    }

    @Test func tokensAreComparedWhole() {
        let token = Array("0123456789abcdef".utf8)
        #expect(TokenFile.areEqual(token, token))
        let others = [
            "", "0123456789abcde", "0123456789abcdefg", "x123456789abcdef", "0123456789abcdef0123456789abcdef",
        ]
        for other in others {
            #expect(!TokenFile.areEqual(Array(other.utf8), token), "\(other)")
        }
    }

    @Test func theTokenFileIsCheckedAndRotated() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let path = directory + "/tokens"
        let tokens = TokenFile(path)
        #expect(throws: SupervisorError.self) { try tokens.check() }
        for bad in ["", "# nothing", "short", "0123456789abcdef king", "0123456789abcdef reader x"] {
            try File.replace(path, with: Array(bad.utf8), mode: 0o600)
            #expect(throws: SupervisorError.self, "\(bad)") { try tokens.check() }
        }
        try File.replace(path, with: Array("# ours\n0123456789abcdef\n0123456789abcdeg agent\n".utf8), mode: 0o600)
        #expect(try tokens.role(of: "0123456789abcdef") == .operator)
        #expect(try tokens.role(of: "0123456789abcdeg") == .agent)
        #expect(try tokens.role(of: "0123456789abcdeh") == nil)
        try File.replace(path, with: Array("0123456789abcdeh reader\n".utf8), mode: 0o600)
        #expect(try tokens.role(of: "0123456789abcdef") == nil)
        #expect(try tokens.role(of: "0123456789abcdeh") == .reader)
        #expect(chmod(path, 0o644) == 0)
        #expect(throws: SupervisorError.self) { try tokens.role(of: "0123456789abcdeh") }
    }

    @Test func overTCPATokenIsWanted() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let path = directory + "/tokens"
        try File.replace(
            path, with: Array("operator-operator\nreader-reader-rd reader\nagent-agent-agent agent\n".utf8), mode: 0o600
        )
        try await RunningServer.with(
            listen: "127.0.0.1:0",
            configure: {
                $0.authentication = .token
                $0.tokenFile = path
            }
        ) { server in
            let port = try #require(server.tcpPort)
            let client = try RawClient(port: port)
            func status(_ method: String, _ path: String, _ token: String?, body: String? = nil) async throws -> Int {
                try await client.request(
                    method, path, body: body, headers: token.map { ["authorization: Bearer \($0)"] } ?? []
                ).status
            }
            let none = try await client.request("GET", "/health")
            #expect(none.status == 401 && none.headers["www-authenticate"] == "Bearer")
            #expect(none.body.contains("\"code\":\"UNAUTHORIZED\""))
            #expect(try await status("GET", "/health", "operator-operatos") == 401)
            #expect(try await status("GET", "/health", "reader-reader-rd") == 200)
            #expect(try await status("POST", "/mounts", "reader-reader-rd", body: #"{"path":"/"}"#) == 403)
            #expect(try await status("POST", "/cache/verify", "operator-operator") == 202)
            let other = #"{"path":"/","uid":7,"job_id":"o"}"#
            #expect(try await status("POST", "/mounts", "operator-operator", body: other) == 200)
            // An agent over TCP is nobody, and all of them are the same nobody.
            let agent = "agent-agent-agent"
            #expect(try await status("POST", "/mounts", agent, body: #"{"path":"/","uid":7}"#) == 403)
            #expect(try await status("POST", "/mounts", agent, body: #"{"path":"/","job_id":"a"}"#) == 200)
            #expect(try await status("GET", "/mounts/by-job/a", agent) == 200)
            #expect(try await status("GET", "/mounts/by-job/o", agent) == 404)
            // An operator's is root's, unless it says otherwise.
            let operators = "operator-operator"
            #expect(try await status("POST", "/mounts", operators, body: #"{"path":"/","job_id":"p"}"#) == 200)
            for method in ["GET", "DELETE"] {
                #expect(try await status(method, "/mounts/by-job/p", agent) == 404, "\(method)")
            }
            let given = #"{"path":"/","job_id":"q","uid":65534}"#
            #expect(try await status("POST", "/mounts", operators, body: given) == 200)
            #expect(try await status("DELETE", "/mounts/by-job/q", agent) == 200)
            // The socket is not concerned.
            #expect(try await RawClient(server.socket).request("GET", "/health", host: "anything").status == 200)
        }
    }

    @Test func aRebindingPageGetsNothing() async throws {
        try await RunningServer.with(listen: "127.0.0.1:0") { server in
            let client = try RawClient(port: try #require(server.tcpPort))
            #expect(try await client.request("GET", "/mounts", host: "evil.example").status == 403)
            let page = try await client.request("GET", "/mounts", headers: ["origin: http://evil.example"])
            #expect(page.status == 403 && page.body.contains("FORBIDDEN"))
            #expect(try await client.request("GET", "/mounts").status == 200)
        }
    }

    @Test func aTokenFileThatCannotBeUsedIsSaidAndWaitsForNobody() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let path = directory + "/tokens"
        try File.replace(
            path, with: Array("\u{FEFF}operator-operator\r\nreader-reader-rd reader\r\n".utf8), mode: 0o600)
        let lines = Guarded<[Logger.Metadata]>([])
        let audit = Logger(label: "audit") { _ in CollectingLogHandler(lines: lines) }
        let tokens = TokenFile(path)
        #expect(try tokens.role(of: "operator-operator") == .operator && tokens.role(of: "reader-reader-rd") == .reader)
        try await RunningServer.with(
            listen: "127.0.0.1:0", audit: audit,
            configure: {
                $0.authentication = .token
                $0.tokenFile = path
            }
        ) { server in
            let client = try RawClient(port: try #require(server.tcpPort))
            let token = ["authorization: Bearer operator-operator"]
            #expect(try await client.request("GET", "/health", headers: token).status == 200)
            #expect(unlink(path) == 0 && mkfifo(path, 0o600) == 0)
            let answer = try await client.request("GET", "/health", headers: token)
            #expect(answer.status == 500 && !answer.body.contains(directory), "\(answer.body)")
            #expect(lines.with { $0.last?["reason"]?.description.contains("no regular file") } == true)
        }
    }

    @Test func aHeadRequestHasNoBody() async throws {
        try await RunningServer.with { server in
            let client = try RawClient(server.socket)
            try await client.send(
                "HEAD /health HTTP/1.1\r\nhost: x\r\n\r\nHEAD /drain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            let text = try await client.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.contains("\r\n\r\nHTTP/1.1 405 "), "\(text)")
            #expect(text.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func whoIsNotLetInIsSaidOnceASecond() async throws {
        let lines = Guarded<[Logger.Metadata]>([])
        let audit = Logger(label: "audit") { _ in CollectingLogHandler(lines: lines) }
        try await RunningServer.with(listen: "127.0.0.1:0", audit: audit) { server in
            let client = try RawClient(port: try #require(server.tcpPort))
            for _ in 0..<50 {
                #expect(try await client.request("DELETE", "/mounts/by-job/j", host: "evil.example").status == 403)
            }
        }
        let said = lines.with { $0 }
        let first = try #require(said.first)
        #expect(first["address"]?.description.hasPrefix("127.0.0.1:") == true)
        #expect(first["method"]?.description == "DELETE" && first["unsaid"]?.description == "0")
        #expect(first["reason"]?.description.contains("evil.example") == true)
        #expect(said.count < 25, "\(said.count)")

        let log = RefusalLog(nil)
        let now = Deadline.now
        #expect(log.unsaid(at: now) == 0 && log.unsaid(at: now) == nil && log.unsaid(at: now) == nil)
        #expect(log.unsaid(at: now.advanced(by: RefusalLog.interval)) == 2)
    }

    @Test func theAuditSaysFromWhereACallCame() async throws {
        let lines = Guarded<[Logger.Metadata]>([])
        let audit = Logger(label: "audit") { _ in CollectingLogHandler(lines: lines) }
        try await RunningServer.with(listen: "127.0.0.1:0", audit: audit) { server in
            let client = try RawClient(port: try #require(server.tcpPort))
            #expect(try await client.request("POST", "/mounts", body: #"{"path":"/","job_id":"j"}"#).status == 200)
            let local = try RawClient(server.socket)
            #expect(try await local.request("DELETE", "/mounts/by-job/j").status == 200)
        }
        let said = lines.with { $0 }
        try #require(said.count == 2)
        let address = try #require(said[0]["address"]?.description)
        let port = try #require(address.split(separator: ":").last.flatMap { UInt16($0) })
        #expect(address == "127.0.0.1:\(port)" && port != 0)
        #expect(said[1]["address"] == nil && said[1]["pid"]?.description == "\(getpid())")
    }

    @Test func anAgentSeesAndEndsItsOwn() async throws {
        let service = FakeService()
        let responder = OperatorResponder(service: service, logger: quietLogger, version: "test")
        func send(_ method: HTTPRequest.Method, _ path: String, _ caller: Caller, _ body: String = "") async throws -> (
            Int, String
        ) {
            let head = HTTPRequest(method: method, scheme: "http", authority: "x", path: path)
            let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))
            let response = await responder.respond(to: request, caller: caller)
            let collector = BodyCollector()
            try await response.body.write(collector)
            return (response.status.code, collector.text)
        }
        let first = Caller(uid: 1000, gid: 100, pid: 5, groups: [100], role: .agent)
        let second = Caller(uid: 1001, gid: 100, pid: 6, groups: [100], role: .agent)
        #expect(try await send(.post, "/mounts", first, #"{"path":"/","job_id":"a"}"#).0 == 200)
        #expect(try await send(.post, "/mounts", second, #"{"path":"/","job_id":"b"}"#).0 == 200)
        #expect(try await send(.post, "/mounts", first, #"{"path":"/","job_id":"c","uid":1001}"#).0 == 403)
        let list = try await send(.get, "/mounts", first).1
        #expect(list.contains("\"job_id\":\"a\"") && !list.contains("\"job_id\":\"b\""))
        let other = try #require(await service.mounts().first { $0.job == "b" }).id
        for path in ["/mounts/\(other)", "/mounts/by-job/b", "/mounts/\(other)/ready"] {
            #expect(try await send(.get, path, first).0 == 404, "\(path)")
        }
        for path in ["/mounts/\(other)", "/mounts/by-job/b"] {
            #expect(try await send(.delete, path, first).0 == 404, "\(path)")
        }
        #expect(try await send(.post, "/mounts/\(other)/renew", first).0 == 404)
        #expect(try await send(.post, "/mounts/\(other)/reset", first).0 == 404)
        #expect(await service.mounts().count == 2)
        #expect(try await send(.delete, "/mounts/by-job/b", second).0 == 200)
    }

    @Test func anAgentSeesTheEventsOfItsOwnMounts() async throws {
        let service = FakeService()
        let own = MountID.random()
        service.events.record(.cacheStarted)
        service.events.record(.mountReady, mount: own, job: "mine", owner: 1000)
        service.events.record(.mountReady, mount: .random(), job: "theirs", owner: 1001)
        service.events.record(.mountReady, mount: .random(), job: "nobodys")
        func events(_ caller: Caller, _ query: String) async throws -> String {
            try await Conversation(service: service, caller: caller).send("GET", "/events" + query).text
        }
        let agent = Caller(uid: 1000, gid: 100, pid: 5, role: .agent)
        let seen = try await events(agent, "?follow=false&after=0")
        #expect(seen.contains("mine") && seen.contains(own.rawValue))
        for hidden in ["theirs", "nobodys", "cache_started"] { #expect(!seen.contains(hidden), "\(hidden)") }
        #expect(try await events(Caller(uid: 1002, gid: 1, pid: 5, role: .agent), "?follow=false&after=0") == "")
        // A gap is told to everybody.
        #expect(
            try await events(Caller(uid: 1002, gid: 1, pid: 5, role: .agent), "?follow=false&after=5").contains("gap"))
        let all = try await events(Caller(uid: 1000, gid: 100, pid: 5, role: .reader), "?follow=false&after=0")
        for shown in ["mine", "theirs", "nobodys", "cache_started"] { #expect(all.contains(shown), "\(shown)") }
        // Followed, what is somebody else's is not even a sign of life.
        let others = service.events.events(after: service.events.newest - 2)
        #expect(others.events.count == 2)
        #expect(EventStream.encode(others, for: agent) == nil)
        #expect(EventStream.encode(service.events.events(after: service.events.newest), for: agent) != nil)
    }
}
