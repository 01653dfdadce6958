import Glibc
import LinuxSystem
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

/// The whole server over a real socket.
@Suite(.timeLimit(.minutes(2))) struct ServerTests {
    @Test func servesAndTakesItsSocketAway() async throws {
        let directory = try await RunningServer.with { server in
            var status = stat()
            #expect(lstat(server.socket, &status) == 0)
            #expect(status.st_mode & S_IFMT == S_IFSOCK)
            #expect(status.st_mode & 0o777 == 0o600)
            let client = try RawClient(server.socket)
            #expect(try await client.request("GET", "/health").status == 200)
            // The same connection again.
            let made = try await client.request("POST", "/mounts", body: #"{"path":"/","job_id":"j"}"#)
            #expect(made.status == 200)
            #expect(made.headers["content-type"] == "application/json")
            let caller = try #require(server.service.callers.first)
            #expect((caller.uid, caller.gid, caller.pid) == (getuid(), getgid(), getpid()))
            #expect(caller.role == .operator)
            #expect(try Directory.names(server.directory).count == 1)
            return server.directory
        }
        #expect(access(directory, F_OK) == -1)
    }

    @Test func theSocketsGroupMayUseIt() async throws {
        try await RunningServer.with(group: "\(getgid())") { server in
            var status = stat()
            #expect(lstat(server.socket, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o660)
            #expect(status.st_gid == getgid())
        }
    }

    @Test func aGroupThatIsNotThereIsAnError() async throws {
        var configuration = SupervisorConfiguration()
        configuration.socket = "/tmp/antares-api-\(getpid())-nogroup.sock"
        configuration.socketGroup = "no-such-group"
        let server = OperatorAPIServer(configuration: configuration, service: FakeService(), logger: quietLogger)
        let error = await #expect(throws: OperatorAPIError.self) { try await server.run() }
        #expect(error?.code == .configuration)
        #expect(access(configuration.socket, F_OK) == -1)
    }

    @Test func eventsAreFollowedFromWhereTheClientWas() async throws {
        try await RunningServer.with { server in
            let events = server.service.events
            events.record(.cacheStarted)
            let first = events.newest
            events.record(.takeover, job: "missed")
            let client = try RawClient(server.socket)
            try await client.send(
                "GET /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nLast-Event-ID: \(first)\r\n\r\n")
            // The client is known before its first event is written.
            while events.subscriberCount == 0 { await Task.yield() }
            events.record(.mountReady, job: "live")
            events.finish()
            let text = try await client.readToEnd()
            #expect(!text.contains("cache_started"))
            #expect(text.contains("\"job_id\":\"missed\""))
            #expect(text.contains("\"job_id\":\"live\""))
        }
    }

    @Test func aFollowerThatReadsNothingIsDropped() async throws {
        try await RunningServer.with(limits: ConnectionLimits(response: .milliseconds(300))) { server in
            let events = server.service.events
            let client = try RawClient(server.socket)
            try await client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            while events.subscriberCount == 0 { await Task.yield() }
            let long = String(repeating: "x", count: 400)
            while events.subscriberCount > 0 {
                for _ in 0..<200 { events.record(.spareLost, cause: long) }
                await Task.yield()
            }
            client.close()
        }
    }

    @Test func aHundredAtOnce() async throws {
        try await RunningServer.with { server in
            try await withThrowingTaskGroup { group in
                for number in 0..<100 {
                    group.addTask {
                        let client = try RawClient(server.socket)
                        let answer = try await client.request(
                            "POST", "/mounts", body: #"{"path":"/","job_id":"\#(number % 50)"}"#)
                        return answer.status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            #expect(await server.service.mounts().count == 50)
            #expect(server.service.requests.count == 100)
        }
    }

    @Test func whatIsNoHTTPIsRefused() async throws {
        try await RunningServer.with { server in
            let garbage = try RawClient(server.socket)
            try await garbage.send("\u{0}\u{1}\u{2} hello\r\n\r\n")
            #expect(try await garbage.readToEnd().hasPrefix("HTTP/1.1 400"))
            let headers = try RawClient(server.socket)
            let many = (0..<200).map { "x-\($0): y\r\n" }.joined()
            try await headers.send("GET /health HTTP/1.1\r\n\(many)\r\n")
            #expect(try await !headers.readToEnd().hasPrefix("HTTP/1.1 200"))
            let long = try RawClient(server.socket)
            try await long.send("GET /health HTTP/1.1\r\nx: \(String(repeating: "y", count: 40_000))\r\n\r\n")
            #expect(try await !long.readToEnd().hasPrefix("HTTP/1.1 200"))
            let health = try await RawClient(server.socket).request("GET", "/health")
            #expect(health.status == 200)
        }
    }

    @Test func aBodyThatIsTooLongIsAnswered() async throws {
        try await RunningServer.with { server in
            let client = try RawClient(server.socket)
            let answer = try await client.request("POST", "/mounts", body: String(repeating: "x", count: 200_000))
            #expect(answer.status == 400)
            #expect(answer.body.contains("BAD_PAYLOAD"))
            // The rest of the body was passed over, so the connection is still good.
            #expect(try await client.request("GET", "/health").status == 200)
        }
    }

    @Test func slowClientsAreDropped() async throws {
        let limits = ConnectionLimits(idle: .milliseconds(300), request: .milliseconds(300), response: .seconds(5))
        try await RunningServer.with(limits: limits) { server in
            let silent = try RawClient(server.socket)
            let halfHead = try RawClient(server.socket)
            // On a slow machine a client may be dropped before it has sent its part.
            try? await halfHead.send("GET /hea")
            let halfBody = try RawClient(server.socket)
            try? await halfBody.send("POST /mounts HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{\"pa")
            #expect(try await silent.readToEnd() == "")
            #expect(try await !halfHead.readToEnd().hasPrefix("HTTP/1.1 200"))
            #expect(try await !halfBody.readToEnd().hasPrefix("HTTP/1.1 200"))
            #expect(server.service.requests.isEmpty)
        }
    }

    @Test func aClientThatDoesNotReadIsDropped() async throws {
        let limits = ConnectionLimits(idle: .seconds(60), request: .seconds(60), response: .milliseconds(300))
        try await RunningServer.with(limits: limits) { server in
            for _ in 0..<5000 {
                _ = try await server.service.create(MountRequest(path: "/"), caller: PeerCredentials.nobody)
            }
            let whole = try await RawClient(server.socket).request("GET", "/mounts")
            let size = Int(whole.headers["content-length"] ?? "") ?? 0
            #expect(whole.status == 200 && whole.body.utf8.count == size && size > 2_000_000)
            let client = try RawClient(server.socket)
            try await client.send("GET /mounts HTTP/1.1\r\nhost: x\r\n\r\n")
            try await client.waitForHangUp()
            let received = try await client.readToEnd()
            #expect(received.hasPrefix("HTTP/1.1 200") && received.utf8.count < size)
        }
    }

    @Test func aClientThatGoesAwayDoesNotCancelItsMount() async throws {
        try await RunningServer.with { server in
            let gate = server.service.holdCreates()
            let client = try RawClient(server.socket)
            try await client.send("POST /mounts HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{\"path\":\"/\"}")
            while server.service.requests.isEmpty { await Task.yield() }
            client.close()
            // The server has noticed once it answers somebody who came later.
            let health = try await RawClient(server.socket).request("GET", "/health")
            #expect(health.status == 200)
            gate.finish()
            while server.service.finished == 0 { await Task.yield() }
            #expect(await server.service.mounts().count == 1)
        }
    }

    @Test func overTCPNobodyIsKnown() async throws {
        try await RunningServer.with(listen: "127.0.0.1:0") { server in
            let port = try #require(server.tcpPort)
            let made = try await RawClient(port: port).request("POST", "/antares/mounts", body: #"{"path":"/"}"#)
            #expect(made.status == 200)
            var caller = try #require(server.service.callers.first)
            #expect(caller.address?.hasPrefix("127.0.0.1:") == true)
            caller.address = nil
            #expect(caller == PeerCredentials.nobody)
            let health = try await RawClient(server.socket).request("GET", "/health")
            #expect(health.status == 200)
        }
    }

    @Test func aLivingSocketIsLeftAlone() async throws {
        try await RunningServer.with { server in
            var configuration = SupervisorConfiguration()
            configuration.socket = server.socket
            let second = OperatorAPIServer(configuration: configuration, service: FakeService(), logger: quietLogger)
            let error = await #expect(throws: OperatorAPIError.self) { try await second.run() }
            #expect(error?.code == .addressInUse)
            #expect(error?.message.contains("in use by process \(getpid()) (") == true)
            let health = try await RawClient(server.socket).request("GET", "/health")
            #expect(health.status == 200)
        }
    }

    @Test func theSocketOfTheDeadIsReplaced() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let path = directory + "/dead.sock"
        do { _ = try MessageSocket.listen(path) }
        try SocketFile.claim(path)
        let socket = try SocketFile(path: path, group: nil, mode: 0o600)
        do {
            let bound = try MessageSocket.listen(socket.bindPath)
            try socket.publish()
            #expect(throws: OperatorAPIError.self) { try SocketFile.claim(path) }
            _ = bound.raw
        }
        socket.remove()
        #expect(access(path, F_OK) == -1)
    }

    @Test func otherFilesAreNotReplaced() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let path = directory + "/file"
        try File.replace(path, with: Array("precious".utf8))
        let error = #expect(throws: OperatorAPIError.self) { try SocketFile.claim(path) }
        #expect(error?.code == .addressInUse)
        #expect(try File.text(path) == "precious")
        try SocketFile.claim(directory + "/nothing")
    }

    @Test func stoppingLetsTheLastRequestsEnd() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        var configuration = SupervisorConfiguration()
        configuration.socket = directory + "/s"
        let service = FakeService()
        let gate = service.holdCreates()
        let server = OperatorAPIServer(configuration: configuration, service: service, logger: quietLogger)
        let (serving, announce) = AsyncStream<Void>.makeStream()
        let run = Task { try await server.run { announce.finish() } }
        for await _ in serving {}
        let client = try RawClient(configuration.socket)
        try await client.send("POST /mounts HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{\"path\":\"/\"}")
        while service.requests.isEmpty { await Task.yield() }
        await server.stop()
        gate.finish()
        #expect(try await client.answer().status == 200)
        try await run.value
        #expect(try Directory.names(directory).isEmpty)
    }
}
