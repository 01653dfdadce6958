import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner and an origin that takes batches", .timeLimit(.minutes(2)))
struct BatchTests {
    let world: World
    let root: ObjectID
    static let count = 300

    init() throws {
        var files: [String: TestRepository.Content] = [:]
        for index in 0..<Self.count { files["d\(index % 30)/f\(index)"] = .file("file \(index)\n") }
        files["large"] = .bytes([UInt8](repeating: 5, count: 400_000))
        world = try World(.antares, files)
        world.origin.offer("blobs", "trees")
        root = try world.repository.id("HEAD^{tree}")
    }

    /// Everything below the root, directory by directory, each level's questions sent before an answer is read.
    private func walk(_ worker: Client) throws -> [PackedEntry] {
        var files: [PackedEntry] = []
        var level = [root]
        while !level.isEmpty {
            var next: [ObjectID] = []
            for id in level { _ = try worker.send(.directory(id)) }
            for _ in level {
                guard case .directory(let bytes) = try worker.receiveAnswer().answer.reply else {
                    throw Client.Closed()
                }
                for item in try PackedDirectory(bytes).items {
                    if item.entry.mode == .directory { next.append(item.entry.id) } else { files.append(item.entry) }
                }
            }
            level = next
        }
        return files
    }

    private func readAll(_ files: [PackedEntry], _ worker: Client) throws {
        var asked: [UInt64: PackedEntry] = [:]
        for file in files { asked[try worker.send(.open(file.id, expectedSize: file.size))] = file }
        for _ in files {
            let (id, answer) = try worker.receiveAnswer()
            let file = try #require(asked[id])
            switch answer.reply {
            case .blob(let bytes): #expect(ObjectID.hash(blob: bytes) == file.id)
            case .blobFile(let size): #expect(size == file.size)
            default: Issue.record("\(answer.reply)")
            }
        }
    }

    @Test("Misses that wait travel together: far fewer requests than objects")
    func together() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        let files = try walk(worker)
        #expect(files.count == Self.count + 1)
        // 31 trees: what is under way when the first ones come goes alone.
        #expect(world.origin.requests("/antares/v1/trees") < 20)
        try readAll(files, worker)
        let requests = world.origin.requests("/antares/v1/blobs") + world.origin.requests("/file/blob/")
        #expect(requests < Self.count / 3)
        #expect(owner.counter(.batchedObjects) > UInt64(Self.count / 2))
        #expect(owner.counter(.verifyFailures) == 0)
        // What came in a batch is stored like everything else.
        owner.stop()
        world.origin.stop()
        try readAll(files, world.owner().worker())
    }

    @Test(
        "Whatever a batch does not bring is asked for alone: no fault of one request is an error or wrong bytes",
        arguments: [
            StubOrigin.Fault.status(500), .status(404), .status(429), .otherBytes, .truncated, .endless, .reset,
            .unannounced, .overstated, .otherObject, .cut(after: 100), .gzipBomb, .redirect,
        ])
    func faults(_ fault: StubOrigin.Fault) throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        for _ in 0..<3 {
            world.origin.fail("POST /antares/v1/trees", fault)
            world.origin.fail("POST /antares/v1/blobs", fault)
        }
        try readAll(walk(worker), worker)
        #expect(owner.server.status.failures.values.reduce(0, +) == 0)
    }

    @Test("An object the origin does not have is an error of its own in the batch that asked for it")
    func missing() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        let files = try walk(worker)
        let lost = try world.repository.id("HEAD:d7/f7")
        world.origin.remove(lost)
        for file in files { _ = try worker.send(.open(file.id, expectedSize: file.size)) }
        var failed = 0
        for _ in files {
            do {
                _ = try worker.receiveAnswer()
            } catch let refused as Client.Refused {
                #expect(refused.error.code == .corrupt)
                failed += 1
            }
        }
        #expect(failed == 1)
    }

    @Test("An origin that does not offer batches is never sent one")
    func notOffered() throws {
        world.origin.offer()
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        try readAll(walk(worker), worker)
        #expect(owner.counter(.batchFetches) == 0)
        #expect(world.origin.requests("/file/blob/") == Self.count + 1)
    }

    @Test("A new owner that nobody asked to pin learns what the origin can do")
    func withoutPin() throws {
        // On a busy machine an answer can take longer than the short time of the other tests; after that it would be asked again.
        let owner = try world.owner { $0.requestTimeoutMilliseconds = 60_000 }
        let worker = try owner.worker()
        try readAll(walk(worker), worker)
        #expect(owner.server.status.origins[0].places.allSatisfy { $0.failures.values.allSatisfy { $0 == 0 } })
        #expect(world.origin.requests("/antares/v1/blobs") > 0)
        #expect(world.origin.requests("/antares/v1/capabilities") == 1)
    }
}
