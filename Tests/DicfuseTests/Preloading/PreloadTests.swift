import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner that preloads", .timeLimit(.minutes(2)))
struct PreloadTests {
    static let count = 240

    private func world(_ dialect: StubOrigin.Dialect) throws -> World {
        var files: [String: TestRepository.Content] = ["run": .script("#!/bin/sh\n"), "link": .link("run")]
        for index in 0..<Self.count { files["d\(index % 6)/e\(index % 24)/f\(index)"] = .file("file \(index)\n") }
        files["large"] = .bytes([UInt8](repeating: 5, count: 400_000))
        let world = try World(dialect, files)
        if dialect == .antares { world.origin.offer("blobs", "trees") }
        return world
    }

    @Test(
        "A tree that was preloaded needs the origin no more, and says so",
        arguments: [StubOrigin.Dialect.antares, .mega])
    func tree(_ dialect: StubOrigin.Dialect) throws {
        let world = try world(dialect)
        let owner = try world.owner()
        let told = Guarded<[Preloader.CompleteTree]>([])
        let store = try #require(owner.server.store("main"))
        store.preloader.observe { tree in told.with { $0.append(tree) } }
        let (number, snapshot) = try owner.control.prefetch()
        let report = try owner.preloaded(number)
        #expect(report.state == .complete && report.treeIsComplete)
        #expect(report.tally.directories == .init(done: 31, total: 31))
        #expect(report.tally.contents == .init(done: 0, total: UInt64(Self.count + 3)))
        #expect(told.with { $0.map(\.root) } == [snapshot.root])
        #expect(store.treeIsComplete(snapshot.root))
        world.origin.stop()
        let worker = try owner.worker()
        var files = 0
        var level = [snapshot.root]
        while let id = level.popLast() {
            for item in try worker.directory(id).items {
                #expect(item.entry.isComplete)
                if item.entry.mode == .directory { level.append(item.entry.id) } else { files += 1 }
            }
        }
        #expect(files == Self.count + 3)
        // The size of the whole is known, too.
        #expect(report.tally.bytes.total > 400_000)
    }

    @Test("With batches a tree takes a handful of requests")
    func fewRequests() throws {
        let world = try world(.antares)
        let owner = try world.owner()
        let (number, _) = try owner.control.prefetch()
        _ = try owner.preloaded(number)
        // The root, six, twenty-four.
        #expect(world.origin.requests("/antares/v1/trees") <= 5)
    }

    @Test("Contents that were preloaded need the origin no more", arguments: [StubOrigin.Dialect.antares, .mega])
    func contents(_ dialect: StubOrigin.Dialect) throws {
        let world = try world(dialect)
        let owner = try world.owner()
        let (number, snapshot) = try owner.control.prefetch(contents: true)
        let report = try owner.preloaded(number)
        #expect(report.state == .complete)
        #expect(report.tally.contents.done == report.tally.contents.total)
        #expect(report.tally.bytes.done == report.tally.bytes.total)
        owner.settle()
        world.origin.stop()
        let worker = try owner.worker()
        var level = [snapshot.root]
        while let id = level.popLast() {
            for item in try worker.directory(id).items {
                if item.entry.mode == .directory {
                    level.append(item.entry.id)
                } else {
                    let bytes = try worker.contents(item.entry.id, size: item.entry.size)
                    #expect((ObjectID.hash(blob: bytes) == item.entry.id) as Bool)
                }
            }
        }
        // A second one has nothing to do.
        let again = try owner.preloaded(try owner.control.prefetch(world.commit.hex, contents: true).number)
        #expect(again.tally.fetchedBytes == 0 && again.state == .complete)
    }

    @Test("A depth is kept, and a path is the root of what is fetched")
    func part() throws {
        let world = try world(.antares)
        let owner = try world.owner()
        let shallow = try owner.preloaded(try owner.control.prefetch(depth: 1).number)
        #expect(shallow.tally.directories.done == 7 && shallow.state == .complete)
        let (number, snapshot) = try owner.control.prefetch(path: "/d3")
        #expect(try owner.preloaded(number).tally.directories.done == 5)
        #expect(snapshot.root == (try world.repository.id("HEAD:d3")))
        let store = try #require(owner.server.store("main"))
        #expect(!store.treeIsComplete(try world.repository.id("HEAD^{tree}")))
        #expect(store.treeIsComplete(snapshot.root))
    }

    @Test("An object that cannot be had does not stop the rest; the preload ends as incomplete and says why")
    func lost() throws {
        let world = try world(.antares)
        let owner = try world.owner()
        _ = try owner.preloaded(try owner.control.prefetch().number)
        world.origin.remove(try world.repository.id("HEAD:d0/e0/f0"))
        let report = try owner.preloaded(try owner.control.prefetch(contents: true).number)
        #expect(report.state == .incomplete && report.treeIsComplete)
        #expect(report.tally.failed == 1)
        #expect(report.cause?.contains("no blob") == true)
        #expect(report.tally.contents.done == UInt64(Self.count + 2))
    }

    @Test("An origin that fails for a while costs time, not the preload")
    func outage() throws {
        let world = try world(.antares)
        let owner = try world.owner { $0.requestTimeoutMilliseconds = 300 }
        _ = try owner.control.pin()
        for _ in 0..<12 {
            world.origin.fail("trees", .status(503))
            world.origin.fail("blobs", .reset)
        }
        let report = try owner.preloaded(try owner.control.prefetch(contents: true).number)
        #expect(report.state == .complete)
        #expect(report.tally.failed == 0)
    }

    @Test("Somebody who asks for what waits in the background is answered at once")
    func foregroundFirst() throws {
        let world = try world(.antares)
        // Slow enough for a preload to take minutes.
        let owner = try world.owner { $0.preloadRate = 2000 }
        let (number, snapshot) = try owner.control.prefetch(contents: true)
        let worker = try owner.worker()
        var level = [snapshot.root]
        var files: [PackedEntry] = []
        while let id = level.popLast() {
            for item in try worker.directory(id).items {
                if item.entry.mode == .directory { level.append(item.entry.id) } else { files.append(item.entry) }
            }
        }
        for file in files {
            let bytes = try worker.contents(file.id, size: file.size, deadline: .after(.seconds(5)))
            #expect((ObjectID.hash(blob: bytes) == file.id) as Bool)
        }
        let report = try owner.preload(number)
        #expect(report.state == .running || report.state == .complete)
    }

    @Test("A rate limit is kept, with batches and with single objects")
    func throttled() throws {
        let world = try world(.antares)
        let owner = try world.owner { $0.preloadRate = 200_000 }
        let report = try owner.preloaded(try owner.control.prefetch(contents: true).number)
        #expect(report.state == .complete)
        // 400,000 bytes and more.
        #expect(report.milliseconds > 1500)
        #expect(report.milliseconds < 60_000)
    }

    @Test("The same preload asked for twice is one; another one waits its turn; too many are refused")
    func queue() throws {
        let world = try world(.antares)
        let owner = try world.owner { $0.preloadRate = 1000 }
        let first = try owner.control.prefetch(contents: true).number
        #expect(try owner.control.prefetch(contents: true).number == first)
        #expect(try owner.control.prefetch(world.commit.hex, contents: true).number == first)
        var numbers = [first]
        for depth in 0..<UInt32(Preloader.queueLimit - 1) {
            numbers.append(try owner.control.prefetch(depth: depth + 5, contents: true).number)
        }
        #expect(Set(numbers).count == Preloader.queueLimit)
        #expect(throws: CacheError.self) { try owner.control.prefetch(depth: 0, contents: true) }
        #expect(owner.server.status.origins[0].preloads.count { $0.state == .queued } >= Preloader.queueLimit - 3)
    }

    @Test("A revision that is not there is an error at once")
    func unknown() throws {
        let world = try world(.antares)
        let owner = try world.owner()
        let error = #expect(throws: CacheError.self) { try owner.control.prefetch("nobody") }
        #expect(error?.code == .unknownRevision)
        let missing = #expect(throws: CacheError.self) { try owner.control.prefetch(path: "/none") }
        #expect(missing?.code == .notFound)
    }
}

// The thread sanitizer cannot follow clone(2) with CLONE_VM, by which programs are started.
@Suite(
    "The program dicfuse-cache preloads",
    .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .timeLimit(.minutes(2)))
struct PreloadProcessTests {
    @Test("Killed in the middle, the next owner goes on by itself, and asks for nothing that is there")
    func killed() throws {
        var files: [String: TestRepository.Content] = [:]
        for index in 0..<40 {
            files["d\(index % 8)/f\(index)"] = .bytes([UInt8](repeating: UInt8(index), count: 20_000))
        }
        let world = try World(.antares, files)
        // One by one, so that each request is of one object.
        world.origin.offer()
        var configuration = CacheConfiguration.test(world.cache, world.origin.url)
        configuration.preloadRate = 200_000
        let first = try OwnerProcess(configuration)
        _ = first.linesUntilReady()
        let control = try first.connect()
        let number = try control.prefetch(contents: true).number
        while try report(control, number).tally.contents.done < 5 { usleep(10_000) }
        first.process.signal(SIGKILL)
        #expect(first.end() == .signal(SIGKILL))

        configuration.preloadRate = 0
        let second = try OwnerProcess(configuration)
        _ = second.linesUntilReady()
        let again = try second.connect()
        while try report(again, number).state != .complete { usleep(10_000) }
        let done = try report(again, number)
        #expect(done.tally.contents == .init(done: 40, total: 40))
        // What was under way at the kill was asked for twice, nothing else.
        let twice = world.origin.requests("/file/blob/") - 40
        #expect(twice >= 0 && twice <= 24)
        #expect(done.tally.fetchedBytes < 40 * 20_000)
        second.process.signal(SIGTERM)
        #expect(second.end() == .code(0))
        // It has ended: the third does not begin it again.
        let third = try OwnerProcess(configuration)
        _ = third.linesUntilReady()
        #expect(try status(third.connect()).origins[0].preloads.isEmpty)
    }

    private func report(_ control: Client, _ number: UInt64) throws -> PreloadReport {
        try #require(try status(control).origins[0].preloads.first { $0.request.number == number })
    }

    private func status(_ control: Client) throws -> StatusReport {
        guard case .status(let json) = try control.ask(.status) else { throw Client.Closed() }
        return try JSONDecoder().decode(StatusReport.self, from: Data(json.utf8))
    }
}

extension Client {
    @discardableResult
    func prefetch(
        _ revision: String = "", path: String = "/", depth: UInt32? = nil, contents: Bool = false
    ) throws -> (number: UInt64, snapshot: PinnedSnapshot) {
        let reply = try ask(
            ControlRequest.prefetch(
                origin: "", revision: revision, path: Array(path.utf8), depth: depth, contents: contents))
        guard case .prefetching(let number, let snapshot) = reply else { throw Closed() }
        return (number, snapshot)
    }
}

extension OwnerHarness {
    func preload(_ number: UInt64) throws -> PreloadReport {
        try #require(server.status.origins[0].preloads.first { $0.request.number == number })
    }

    /// Once it has ended; the test's time limit ends a wait that has no end.
    func preloaded(_ number: UInt64) throws -> PreloadReport {
        while true {
            let report = try preload(number)
            if report.hasEnded { return report }
            usleep(2000)
        }
    }
}
