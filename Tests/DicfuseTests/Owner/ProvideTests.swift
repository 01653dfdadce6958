import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

// Answers come too late for their deadlines when threads are slowed down and many.
@Suite(
    "Objects for the data layers of sealed snapshots",
    .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .timeLimit(.minutes(2)))
struct ProvideTests {
    private let library: Library

    init() throws {
        library = try Library(sizes: [10, 100_000, 32 * 1024, 32 * 1024 + 1, 500])
        library.world.origin.offer("blobs", "trees")
    }

    private func inbox(_ id: ObjectID) -> String {
        "\(library.world.cache)/main/inbox/.GIT/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
    }

    private func inode(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    @Test("When the answer is there the object is in the layer and in the inbox, and it is fetched once")
    func provides() throws {
        let owner = try library.world.owner()
        let worker = try owner.worker()
        for (path, bytes) in library.files {
            let id = library.id(path)
            #expect(try worker.ask(.provide(id)).reply == .provided)
            #expect(try Array(Data(contentsOf: URL(fileURLWithPath: library.object(id)))) == bytes)
            #expect(inode(library.object(id)) != nil && inode(library.object(id)) == inode(inbox(id)))
            let requests = library.world.origin.total
            #expect(try worker.ask(.provide(id)).reply == .provided)
            #expect(library.world.origin.total == requests)
            #expect(try worker.contents(id, size: UInt64(bytes.count)) == bytes)
        }
        // What was provided is known to the next owner, with or without what the inbox held.
        owner.stop()
        library.world.origin.stop()
        let next = try library.world.owner().worker()
        for path in library.files.keys { #expect(try next.ask(.provide(library.id(path))).reply == .provided) }
    }

    @Test("An object that was evicted is fetched again")
    func evicted() throws {
        let worker = try library.world.owner().worker()
        let id = library.id("d0/f0")
        #expect(try worker.ask(.provide(id)).reply == .provided)
        #expect(unlink(library.object(id)) == 0 && unlink(inbox(id)) == 0)
        #expect(try worker.ask(.provide(id)).reply == .provided)
        #expect(inode(inbox(id)) != nil)
    }

    @Test("Many who ask for the same objects at once wait for one fetch each")
    func together() throws {
        let owner = try library.world.owner()
        let workers = try (0..<8).map { _ in try owner.worker() }
        for worker in workers {
            for path in library.files.keys { _ = try worker.send(.provide(library.id(path))) }
        }
        for worker in workers {
            for _ in library.files { #expect(try worker.receiveAnswer().answer.reply == .provided) }
        }
        #expect(library.world.origin.requests("/file/blob/") <= library.files.count)
    }

    @Test("A failure is said as what it is, and the next attempt may succeed")
    func failures() throws {
        let owner = try library.world.owner { $0.requestTimeoutMilliseconds = 300 }
        let worker = try owner.worker()
        let id = library.id("d0/f1")
        library.world.origin.fail(id.hex, .silent)
        let error = #expect(throws: CacheError.self) { try worker.ask(.provide(id)) }
        #expect(error?.code == .timedOut)
        let other = library.id("d0/f4")
        library.world.origin.remove(other)
        let missing = #expect(throws: CacheError.self) { try worker.ask(.provide(other)) }
        #expect(missing?.code == .corrupt)
        try library.world.origin.refresh()
        // A failure is remembered for a moment.
        while (try? worker.ask(.provide(id)).reply) != .provided { sched_yield() }
        while (try? worker.ask(.provide(other)).reply) != .provided { sched_yield() }
        let key = #expect(throws: CacheError.self) {
            try worker.ask(.provide(ObjectID(kind: .path, bytes: [UInt8](repeating: 1, count: 32))!))
        }
        #expect(key?.code == .invalidRequest)
    }

    @Test("Without room on the disk an object is read from memory, piece by piece", .enabled(if: getuid() == 0))
    func fullDisk() throws {
        let disk = try FullDiskTests.SmallDisk("size=2m")
        let library = try Library(sizes: [100, 3_000_000])
        let owner = try OwnerHarness(CacheConfiguration.test(disk.path, library.world.origin.url))
        defer { owner.stop() }
        let worker = try owner.worker()
        let id = library.id("d0/f1")
        #expect(try worker.ask(.provide(id)).reply == .large(size: 3_000_000))
        #expect(try worker.contents(id, size: 3_000_000) == library.files["d0/f1"])
    }

    @Test("Links go when nobody can be on the way to them any more, also those that an earlier owner made")
    func links() throws {
        let directory = try TemporaryDirectory.make("inbox")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let objects = try ObjectStore(directory)
        let log = Log(lines: LineSink(standardError: -1))
        let ids = try (0..<50).map { number in
            let bytes = Array("object \(number)".utf8)
            let id = ObjectID.hash(blob: bytes)
            try objects.publish(bytes, as: id)
            return id
        }
        let kept = try Inbox(objects, stay: .seconds(3600), counters: Counters(), log: log)
        for id in ids { #expect(try kept.link(id)) }
        #expect(try !kept.link(.emptyBlobSHA1))
        kept.stop()
        #expect(try (0..<256).reduce(0) { $0 + (try objects.inInbox(prefix: UInt8($1)).count) } == ids.count)
        let short = try Inbox(objects, stay: .milliseconds(1), counters: Counters(), log: log)
        defer { short.stop() }
        while try (0..<256).contains(where: { try !objects.inInbox(prefix: UInt8($0)).isEmpty }) { sched_yield() }
        for id in ids { #expect(objects.contains(id)) }
        // The thread sleeps now, and wakes for the next one.
        #expect(try short.link(ids[0]))
        while try !objects.inInbox(prefix: ids[0].bytes[0]).isEmpty { sched_yield() }
    }

    @Test("An object that is put in place twice is one file, and is linked meanwhile")
    func replacedMeanwhile() throws {
        let directory = try TemporaryDirectory.make("inbox")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let objects = try ObjectStore(directory)
        let bytes = Array("object".utf8)
        let id = ObjectID.hash(blob: bytes)
        try objects.publish(bytes, as: id)
        let done = Guarded(false)
        let writer = try SystemThread.start(name: "writer") {
            while !done.with({ $0 }) { try? objects.publish(bytes, as: id) }
        }
        defer {
            done.with { $0 = true }
            writer.join()
        }
        let path = "\(directory)/layer/\(StoreLayout.objects)/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
        let first = inode(path)
        for _ in 0..<20_000 {
            #expect(try objects.link(id))
            #expect(inode(path) == first)
            objects.unlinkFromInbox(id)
        }
    }
}
