import Glibc
import LinuxSystem
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

/// Clients that want to keep others out.
@Suite(.timeLimit(.minutes(2))) struct HostileClientTests {
    private static let threads = Result { try BlockingThreads(count: 2, name: "test-crowd") }

    @Test func twoThousandConnectionsDisturbNobody() async throws {
        Privileges.raiseOpenFileLimit()
        // As long as these wait for their time to be over, nobody else would get in if new ones had to wait.
        let limits = ConnectionLimits(idle: .seconds(6), request: .seconds(6))
        try await RunningServer.with(limits: limits) { server in
            let begun = Deadline.now
            let crowd = try await Self.threads.get().run { () throws(SystemError) in
                try Crowd(server.socket, count: 2000)
            }
            let deadline = Deadline.after(.seconds(60))
            var answered = 0
            var asked = 0
            var turn = 0
            while crowd.alive > 0, !deadline.hasPassed {
                if Deadline.now.nanoseconds - begun.nanoseconds > UInt64(turn) * 1_000_000_000 {
                    crowd.drip(turn)
                    turn += 1
                }
                asked += 1
                let answer = try await RawClient(server.socket).request("GET", "/health")
                if answer.status == 200 { answered += 1 }
            }
            #expect(crowd.alive == 0)
            #expect(answered == asked && asked > 10)
            #expect(server.service.requests.isEmpty)
        }
    }

    @Test func atMostSoManyAreKept() async throws {
        let limits = ConnectionLimits(idle: .seconds(100), request: .seconds(100), connections: 20)
        try await RunningServer.with(limits: limits) { server in
            let crowd = try await Self.threads.get().run { () throws(SystemError) in
                try Crowd(server.socket, count: 100)
            }
            while crowd.alive > 20 { await Task.yield() }
            // Each who is answered and stays takes the place of one of them.
            var clients: [RawClient] = []
            for _ in 0..<20 {
                clients.append(try RawClient(server.socket))
                #expect(try await clients.last?.request("GET", "/health").status == 200)
            }
            while crowd.alive > 0 { await Task.yield() }
            for client in clients { #expect(try await client.request("GET", "/health").status == 200) }
        }
    }

    @Test func whatIsBeingServedIsNotGivenUp() async throws {
        let limits = ConnectionLimits(idle: .seconds(100), request: .seconds(100), connections: 20)
        try await RunningServer.with(limits: limits) { server in
            let gate = server.service.holdCreates()
            let client = try RawClient(server.socket)
            try await client.send("POST /mounts HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{\"path\":\"/\"}")
            while server.service.requests.isEmpty { await Task.yield() }
            let crowd = try await Self.threads.get().run { () throws(SystemError) in
                try Crowd(server.socket, count: 100)
            }
            while crowd.alive > 20 { await Task.yield() }
            gate.finish()
            #expect(try await client.answer().status == 200)
        }
    }

    @Test func theOldestOfWhomeverHasMostHasToGo() {
        var census = ConnectionCensus(limit: 4)
        #expect(census.opened(1, peer: "quiet") == nil)
        for number in UInt64(2)...4 { #expect(census.opened(number, peer: "loud") == nil) }
        #expect(census.opened(5, peer: "loud") == 2)
        // One that was served since has waited less long.
        census.waits(3, false)
        census.waits(3, true)
        #expect(census.opened(6, peer: "loud") == 4)
        // What is being served stays, even if somebody else has to go.
        for number in [UInt64(3), 5, 6] { census.waits(number, false) }
        #expect(census.opened(7, peer: "loud") == 1)
        census.waits(7, false)
        #expect(census.count == 4)
        // The new one stays, too: then there is one too many.
        #expect(census.opened(8, peer: "loud") == nil)
        #expect(census.count == 5)
        census.closed(3)
        census.closed(3)
        // What is not known is nobody's turn.
        census.waits(3, true)
        #expect(census.count == 4)
        #expect(census.opened(9, peer: "quiet") == 8)
    }
}
