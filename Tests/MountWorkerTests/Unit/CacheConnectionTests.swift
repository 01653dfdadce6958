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

    /// An owner of an earlier version would take it for a breach of the protocol.
    @Test func whatAnOwnerDoesNotKnowIsNotAsked() throws {
        let connection = CacheConnection(wake: try EventCounter())
        let range = AheadRange(directory: .emptyTreeSHA1, wanted: .contents, first: 0, count: 4)
        func operations(_ socket: MessageSocket) throws -> [UInt16] {
            var operations: [UInt16] = []
            while let (bytes, _) = try? socket.receive(until: .now) {
                var reader = WireReader(bytes)
                operations.append(try MessageHeader(from: &reader).operation)
            }
            return operations
        }
        let (mine, owner) = try MessageSocket.pair()
        try connection.use(mine)
        connection.ask(ahead: range)
        connection.noteVersion(1, of: mine)
        connection.ask(ahead: range)
        #expect(try operations(owner) == [CacheOperation.hello.rawValue])
        connection.noteVersion(2, of: mine)
        connection.ask(ahead: range)
        #expect(try operations(owner) == [CacheOperation.ahead.rawValue])

        // What was agreed with one owner says nothing of the next.
        let (next, nextOwner) = try MessageSocket.pair()
        try connection.use(next)
        connection.noteVersion(2, of: mine)
        connection.ask(ahead: range)
        #expect(try operations(nextOwner) == [CacheOperation.hello.rawValue])
    }
}
