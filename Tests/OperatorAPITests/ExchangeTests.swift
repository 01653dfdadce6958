import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

/// Versions of HTTP and what clients expect, over a real socket.
@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
    @Test(arguments: [
        "GET /health HTTP/1.0\r\n\r\n", "GET /health HTTP/1.1\r\nhost: x\r\nconnection: Close\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close, te\r\n\r\n",
        "GET /mounts/x/y/z HTTP/1.0\r\nconnection: close\r\n\r\n",
    ])
    func aConnectionThatIsNotToBeKeptEndsWithTheAnswer(request: String) async throws {
        // Longer than the test may take: nothing else ends it.
        try await RunningServer.with(limits: ConnectionLimits(idle: .minutes(10))) { server in
            let client = try RawClient(server.socket)
            try await client.send(request)
            let answer = try await client.readToEnd()
            #expect(answer.hasPrefix(request.contains("1.0") ? "HTTP/1.0 " : "HTTP/1.1 "), "\(answer)")
            #expect(answer.lowercased().contains("\r\nconnection: close\r\n") && answer.hasSuffix("}\n"), "\(answer)")
            client.close()
        }
    }

    @Test func anOldClientMayKeepTheConnection() async throws {
        try await RunningServer.with { server in
            let client = try RawClient(server.socket)
            for _ in 0..<2 {
                try await client.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let answer = try await client.answer()
                #expect(answer.status == 200 && answer.headers["connection"] == "keep-alive")
            }
            client.close()
        }
    }

    /// A stream has no length, and HTTP/1.0 no chunks.
    @Test func aStreamToAnOldClientEndsWithTheConnection() async throws {
        try await RunningServer.with(limits: ConnectionLimits(idle: .minutes(10))) { server in
            server.service.events.record(.takeover, job: "j")
            let client = try RawClient(server.socket)
            // The length of what is kept is known; that of what is followed is not.
            try await client.send("GET /events?after=0 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            while server.service.events.subscriberCount == 0 { await Task.yield() }
            server.service.events.finish()
            let answer = try await client.readToEnd()
            #expect(answer.contains("\r\nconnection: close\r\n") && answer.hasPrefix("HTTP/1.0 200"), "\(answer)")
            #expect(!answer.contains("chunked") && answer.hasSuffix("\n\n"), "\(answer)")
            client.close()
        }
    }

    private static let body = #"{"path":"/"}"#

    private static func post(_ expect: String, version: String = "1.1", _ more: String = "") -> String {
        "POST /mounts HTTP/\(version)\r\nhost: x\r\nexpect: \(expect)\r\n\(more)content-length: \(body.utf8.count)\r\n\r\n"
    }

    @Test(arguments: ["100-continue", "100-Continue", "100-continue, 100-continue"])
    func whoWaitsWithItsBodyIsToldToGoOn(expect: String) async throws {
        try await RunningServer.with { server in
            let client = try RawClient(server.socket)
            for _ in 0..<2 {
                try await client.send(Self.post(expect))
                #expect(try await client.answer().status == 100)
                try await client.send(Self.body)
                #expect(try await client.answer().status == 200)
            }
            #expect(server.service.requests.count == 2)
        }
    }

    /// The word to go on is not put into the answer before.
    @Test func whoWaitsBehindAnotherRequestIsToldAfterItsAnswer() async throws {
        try await RunningServer.with { server in
            let gate = server.service.holdCreates()
            let client = try RawClient(server.socket)
            let first =
                "POST /mounts HTTP/1.1\r\nhost: x\r\ncontent-length: \(Self.body.utf8.count)\r\n\r\n\(Self.body)"
            try await client.send(first + Self.post("100-continue", "connection: close\r\n"))
            while server.service.requests.isEmpty { await Task.yield() }
            gate.finish()
            // The two may come at once, or one after the other.
            var begin = try await client.answer()
            #expect(begin.status == 200)
            if !begin.body.contains("HTTP/1.1 100 Continue") {
                begin = try await client.answer()
                #expect(begin.status == 100)
            }
            try await client.send(Self.body)
            #expect(try await client.readToEnd().hasPrefix("HTTP/1.1 200"))
            client.close()
        }
    }

    @Test func anExpectationThatIsNotKnownIsRefusedAtOnce() async throws {
        try await RunningServer.with(limits: ConnectionLimits(idle: .minutes(10), request: .minutes(10))) { server in
            for expect in ["a-miracle", "100-continue, a-miracle"] {
                let client = try RawClient(server.socket)
                // Its body never comes.
                try await client.send(Self.post(expect))
                let answer = try await client.readToEnd()
                #expect(answer.hasPrefix("HTTP/1.1 417 "), "\(answer)")
                #expect(answer.contains("\"code\":\"INVALID_REQUEST\"") && answer.contains("a-miracle"), "\(answer)")
                client.close()
            }
            // In HTTP/1.0 there are no expectations.
            let old = try RawClient(server.socket)
            try await old.send(Self.post("100-continue", version: "1.0") + Self.body)
            #expect(try await old.readToEnd().hasPrefix("HTTP/1.0 200 "))
            old.close()
            #expect(server.service.requests.count == 1)
        }
    }
}
