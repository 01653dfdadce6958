import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner with an Antares origin", .timeLimit(.minutes(2)))
struct AntaresOwnerTests {
    let world: World

    init() throws {
        world = try World(
            .antares,
            [
                "README": .file("hello\n"),
                "bin/run": .script("#!/bin/sh\necho run\n"),
                "empty": .file(""),
                "link": .link("bin/run"),
                "odd/a b&c%41#\"\n": .file("odd"),
                "big": .bytes((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }),
                "exact": .bytes([UInt8](repeating: 65, count: WorkerReply.inlineBlobLimit)),
                "above": .bytes([UInt8](repeating: 66, count: WorkerReply.inlineBlobLimit + 1)),
            ])
    }

    @Test("Pins, lists and opens, and asks the origin once for each")
    func wholePath() throws {
        let owner = try world.owner()
        let snapshot = try owner.control.pin()
        #expect(snapshot.commit == world.commit)
        #expect(snapshot.commitTime == 1_700_000_000)
        #expect(snapshot.assurance == .treesVerified)
        let worker = try owner.worker()
        for _ in 0..<2 {
            let root = try worker.directory(snapshot.root)
            #expect(
                root.items.map { String(decoding: $0.name, as: UTF8.self) } == [
                    "README", "above", "big", "bin", "empty", "exact", "link", "odd",
                ])
            for item in root.items where item.entry.mode.hasBlob {
                let bytes = try worker.contents(item.entry.id, size: item.entry.size)
                #expect(ObjectID.hash(blob: bytes) == item.entry.id)
            }
            let link = try #require(root.index(of: Array("link".utf8)))
            #expect(root[link].mode == .symlink)
            let bin = try #require(root.index(of: Array("bin".utf8)))
            #expect(try worker.directory(root[bin].id)[0].mode == .executable)
        }
        // README, above, big, exact and link; the empty blob is known.
        #expect(world.origin.requests("/file/blob/") == 5)
        #expect(world.origin.requests("/antares/v1/trees/") == 2)
    }

    @Test("A path below the root is its tree; a missing one, a file and an unknown revision are different errors")
    func pinPaths() throws {
        let owner = try world.owner()
        let snapshot = try owner.control.pin(path: "//bin/")
        #expect(try snapshot.root == world.repository.id("HEAD:bin"))
        #expect(throws: CacheError.self) { try owner.control.pin(path: "/bin/none") }
        func code(_ body: () throws -> PinnedSnapshot) -> CacheError.Code? {
            do {
                _ = try body()
                return nil
            } catch {
                return (error as? CacheError)?.code
            }
        }
        #expect(code { try owner.control.pin(path: "/none") } == .notFound)
        #expect(code { try owner.control.pin(path: "/bin/../bin") } == .notFound)
        #expect(code { try owner.control.pin(path: "/README") } == .notADirectory)
        #expect(code { try owner.control.pin(path: "/README/x") } == .notADirectory)
        #expect(code { try owner.control.pin("no/such tag") } == .unknownRevision)
        #expect(code { try owner.control.pin(origin: "other") } == .unknownOrigin)
    }

    @Test("A tag and a branch with a slash pin their commits")
    func names() throws {
        try world.repository.tag("release/1.0")
        let owner = try world.owner()
        #expect(try owner.control.pin("release/1.0").commit == world.commit)
        #expect(try owner.control.pin(world.commit.hex).commit == world.commit)
    }

    @Test("What was read stays readable, and its commit pinnable, when the origin is gone and the owner new")
    func offline() throws {
        let first = try world.owner()
        let snapshot = try first.control.pin()
        let root = try first.worker().directory(snapshot.root)
        let big = try #require(root.index(of: Array("big".utf8)))
        let expected = try first.worker().contents(root[big].id, size: root[big].size)
        first.stop()
        world.origin.stop()
        let second = try world.owner()
        #expect(try second.control.pin(world.commit.hex) == snapshot)
        let worker = try second.worker()
        #expect(try worker.directory(snapshot.root).items == root.items)
        #expect(try worker.contents(root[big].id, size: root[big].size) == expected)
        let error = #expect(throws: CacheError.self) { try second.control.pin() }
        #expect(error?.code == .unreachable)
    }

    @Test("A hundred askers of one cold blob cost one fetch")
    func singleflight() throws {
        let owner = try world.owner()
        let snapshot = try owner.control.pin()
        let root = try owner.worker().directory(snapshot.root)
        let index = try #require(root.index(of: Array("big".utf8)))
        let workers = try (0..<10).map { _ in try owner.worker() }
        world.origin.fail("/file/blob/", .held)
        for worker in workers {
            for _ in 0..<10 { _ = try worker.send(.open(root[index].id, expectedSize: root[index].size)) }
        }
        // All are known to wait before the origin may answer.
        while owner.server.status.origins[0].waiters < 100 { sched_yield() }
        world.origin.release()
        for worker in workers {
            for _ in 0..<10 {
                let (_, answer) = try worker.receiveAnswer()
                #expect(answer.reply == .blobFile(size: root[index].size))
            }
        }
        #expect(world.origin.requests("/file/blob/") == 1)
    }

    @Test("A size that is not the tree's is an error, never other bytes")
    func wrongSize() throws {
        let owner = try world.owner()
        _ = try owner.control.pin()
        let id = try world.repository.id("HEAD:README")
        for _ in 0..<2 {
            let error = #expect(throws: CacheError.self) { try owner.worker().contents(id, size: 5) }
            #expect(error?.code == .corrupt)
        }
        func refusals() -> UInt64 { UInt64(owner.counter(.verifyFailures) + owner.counter(.sizeMismatches)) }
        let first = refusals()
        #expect(first > 0)
        #expect(try owner.worker().contents(id, size: 6) == Array("hello\n".utf8))
        // Also once it is here.
        let error = #expect(throws: CacheError.self) { try owner.worker().contents(id, size: 7) }
        #expect(error?.code == .corrupt)
        #expect(refusals() > first)
    }

    @Test("A damaged object file is set aside and fetched again")
    func damagedObject() throws {
        let owner = try world.owner()
        _ = try owner.control.pin()
        let id = try world.repository.id("HEAD:big")
        let bytes = try owner.worker().contents(id, size: 300_000)
        owner.stop()
        let path = "\(world.cache)/main/layer/.GIT/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
        try #require(chmod(path, 0o644) == 0 && truncate(path, 1000) == 0)
        let second = try world.owner()
        #expect(try second.worker().contents(id, size: 300_000) == bytes)
        #expect(second.counter(.damagedObjects) == 1)
        #expect(FileManager.default.fileExists(atPath: "\(world.cache)/main/quarantine/\(id.hex)"))
        second.stop()
        try FileManager.default.removeItem(atPath: path)
        let third = try world.owner()
        #expect(try third.worker().contents(id, size: 300_000) == bytes)
        #expect(world.origin.requests("/file/blob/\(id.hex)") == 3)
    }

    @Test("A directory of 5,000 entries comes as a sealed memfd")
    func largeDirectory() throws {
        let files = Dictionary(
            uniqueKeysWithValues: (0..<5000).map { ("many/file-\($0)", TestRepository.Content.file("x")) })
        _ = try world.repository.commit(files)
        try world.origin.refresh()
        let owner = try world.owner()
        let snapshot = try owner.control.pin(path: "/many")
        for _ in 0..<2 { #expect(try owner.worker().directory(snapshot.root).count == 5000) }
    }

    @Test(
        "A tree that was made to deceive is refused whole",
        arguments: ["..", ".", "a/b", String(repeating: "n", count: 256)])
    func hostileNames(_ name: String) throws {
        try refuses([name])
    }

    @Test("Two entries of one name are refused")
    func duplicates() throws {
        try refuses(["a", "a.b", "a"])
    }

    private func refuses(_ names: [String]) throws {
        let blob = try world.repository.id("HEAD:README")
        let payload = names.flatMap { Array("100644 \($0)\0".utf8) + blob.bytes }
        let commit = try world.repository.commit(hostileTree: payload)
        try world.origin.refresh()
        let owner = try world.owner()
        let error = #expect(throws: CacheError.self) { try owner.control.pin(commit.hex) }
        #expect(error?.code == .refused)
        let tree = ObjectID.hash(tree: payload)
        let again = #expect(throws: CacheError.self) { try owner.worker().directory(tree) }
        #expect(again?.code == .refused)
        #expect(owner.counter(.refusedTrees) == 1)
    }
}

/// A repository, an origin that serves it, and a place for the cache.
final class World {
    let repository: TestRepository
    let origin: StubOrigin
    let commit: ObjectID
    let cache: String
    private var owners: [OwnerHarness] = []

    init(_ dialect: StubOrigin.Dialect, _ files: [String: TestRepository.Content]) throws {
        repository = try TestRepository()
        commit = try repository.commit(files)
        origin = try StubOrigin(repository, dialect: dialect)
        cache = try TemporaryDirectory.make("cache")
    }

    deinit {
        for owner in owners { owner.stop() }
        origin.stop()
        try? FileManager.default.removeItem(atPath: cache)
    }

    func owner(
        endedCleanly: Bool = true, _ change: (inout CacheConfiguration) -> Void = { _ in }
    ) throws -> OwnerHarness {
        var configuration = CacheConfiguration.test(cache, origin.url)
        change(&configuration)
        let owner = try OwnerHarness(configuration, endedCleanly: endedCleanly)
        owners.append(owner)
        return owner
    }
}
