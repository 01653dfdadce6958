import CacheProtocol
import GitObjects
import LinuxSystem
import Testing
import WireFormat

@testable import MountWorker

@Suite struct CacheConnectionTests {
    private func question(_ id: UInt64) -> PendingTable<Waiting>.Question {
        PendingTable<Waiting>.Question(id: id, dependency: .directory(.emptyTreeSHA1), deadline: .never)
    }

    /// The ids of the messages that arrived.
    private func arrived(_ socket: MessageSocket) throws -> [UInt64] {
        var ids: [UInt64] = []
        while let (bytes, _) = try? socket.receive(until: .now) {
            var reader = WireReader(bytes)
            ids.append(try MessageHeader(from: &reader).id)
        }
        return ids
    }

    /// A thread notes a question, the socket is replaced and the question put, then the thread comes to put it.
    @Test func aQuestionIsPutOnceOnASocket() throws {
        let connection = CacheConnection(wake: try EventCounter())
        let (mine, owner) = try MessageSocket.pair()
        let open = CacheConnection.OpenQuestions(questions: [question(2), question(3)], last: 4)
        try connection.use(mine) { open }
        for id: UInt64 in 2...5 { connection.ask(question(id)) }
        // The greeting has the number 0; 4 was answered already.
        #expect(try arrived(owner) == [0, 2, 3, 5])

        let (next, nextOwner) = try MessageSocket.pair()
        try connection.use(next)
        connection.ask(question(2))
        #expect(try arrived(nextOwner) == [0, 2], "another socket, another owner")
    }
}
