import GitObjects
import LinuxSystem
import Testing
import WorkerProtocol

@testable import Supervision

@Suite(.timeLimit(.minutes(1))) struct SpareConnectionsTests {
    private func spares(_ target: Int) throws -> SpareConnections {
        try FuseConnection.ensureControlFilesystem()
        return SpareConnections(target: target, threads: try BlockingThreads(count: 1, name: "spares"))
    }

    private func wait(for count: Int, _ spares: SpareConnections) async throws {
        while spares.count != count {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    private func numbers() throws -> Set<UInt64> {
        Set(try Directory.names("/sys/fs/fuse/connections").compactMap { UInt64(String(decoding: $0, as: UTF8.self)) })
    }

    @Test func takenOnesAreReplaced() async throws {
        let spares = try spares(2)
        defer { spares.stop() }
        #expect(spares.take() == nil, "the caller opens its own")
        spares.refill()
        try await wait(for: 2, spares)
        let first = try #require(spares.take())
        let second = try #require(spares.take())
        #expect(first.connection != second.connection && first.isConnected && second.isConnected)
        #expect(spares.take() == nil)
        spares.refill()
        try await wait(for: 2, spares)
    }

    @Test func oneBecomesTheLowerOfAMount() throws {
        let root = try #require(ObjectID(hex: String(repeating: "5a", count: 20)))
        let connection = try LowerConnection.open()
        let lower = try LowerMount(
            connection,
            SessionParameters(
                root: root, time: 7, uid: 1, gid: 2, probeName: "probe", requestTimeout: 3, minimumRate: 4))
        #expect(lower.custody.isConnected && lower.custody.connection == connection.connection)
        #expect(lower.custody.memory.initReply == connection.initReply)
        #expect(try lower.custody.memory.parameters().root == root)
        try lower.custody.abort()
        #expect(!connection.isConnected)
    }

    @Test func whatSomebodyAbortedIsNotUsed() async throws {
        let before = try numbers()
        let spares = try spares(2)
        defer { spares.stop() }
        spares.refill()
        try await wait(for: 2, spares)
        let opened = try numbers().subtracting(before)
        #expect(opened.count == 2)
        for number in opened { try FuseConnection(number: number).abort() }
        #expect(spares.take() == nil)
        spares.refill()
        try await wait(for: 2, spares)
        #expect(try #require(spares.take()).isConnected)
    }

    @Test func thereAreAsManyAsWanted() async throws {
        let before = try numbers()
        let spares = try spares(3)
        spares.refill()
        try await wait(for: 3, spares)
        spares.retarget(1)
        #expect(spares.count == 1)
        spares.retarget(2)
        try await wait(for: 2, spares)
        spares.stop()
        #expect(spares.take() == nil)
        spares.refill()
        while try !numbers().subtracting(before).isEmpty {
            try Task.checkCancellation()
            await Task.yield()
        }
        #expect(spares.count == 0)
    }
}
