import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

// Answers come too late for their deadlines when threads are slowed down and many.
@Suite(
    "What the supervisor asks about trees",
    .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .timeLimit(.minutes(2)))
struct LookupTests {
    private static let files: [String: TestRepository.Content] = [
        "a/deep/er/file": .file("12345"), "a/run": .script("#!/bin/sh\n"), "top": .file("top\n"),
        "link": .link("a/run"),
        "caf\u{e9}": .file("x"),
    ]

    private func lookUp(
        _ owner: OwnerHarness, _ root: ObjectID, _ paths: [String], deadline: Deadline = .never
    ) throws -> [PackedEntry?] {
        let places = paths.map { TreePlace(directory: root, path: Array($0.utf8)) }
        guard case .found(let entries) = try owner.control.ask(.lookUp(origin: "", places: places), deadline: deadline)
        else { throw Client.Closed() }
        return entries
    }

    @Test("Many places at once, fetched where they are not here", arguments: [StubOrigin.Dialect.antares, .mega])
    func looksUp(dialect: StubOrigin.Dialect) throws {
        let world = try World(dialect, Self.files)
        let owner = try world.owner()
        let root = try owner.control.pin().root
        let paths = [
            "a/deep/er/file", "a/deep", "", "nothing", "a/nothing/at/all", "top/below", "a//run/", "link", "a/..",
            "caf\u{e9}",
            "a/deep/er/file",
        ]
        let found = try lookUp(owner, root, paths)
        #expect(found.count == paths.count)
        #expect(found[0]?.id == .hash(blob: Array("12345".utf8)) && found[0]?.mode == .regular)
        #expect(found[1]?.mode == .directory && found[2]?.id == root && found[10] == found[0])
        #expect(found[3] == nil && found[4] == nil && found[5] == nil && found[8] == nil)
        #expect(found[7]?.id == .hash(blob: Array("a/run".utf8)) && found[9]?.id == .hash(blob: Array("x".utf8)))
        if dialect == .antares {
            #expect(found[0]?.size == 5 && found[6]?.mode == .executable && found[7]?.mode == .symlink)
        }
        // From where one is.
        let below = try #require(found[1])
        #expect(try lookUp(owner, below.id, ["er/file", "er"])[0]?.id == found[0]?.id)
        // Nobody is asked again.
        let requests = world.origin.total
        #expect(try lookUp(owner, root, paths) == found)
        #expect(world.origin.total == requests)
    }

    @Test("An entry is as a worker was told it is, once somebody has asked")
    func completed() throws {
        let world = try World(.mega, Self.files)
        let owner = try world.owner()
        let root = try owner.control.pin().root
        let worker = try owner.worker()
        let directory = try #require(try lookUp(owner, root, ["a"])[0]).id
        let listing = try worker.directory(directory)
        let index = try #require(listing.index(of: Array("run".utf8)))
        guard !listing[index].isComplete else { return }
        #expect(try lookUp(owner, root, ["a/run"])[0]?.isComplete == false)
        let told = try worker.stat(directory, index)
        // A worker has its answer before the index has it.
        owner.settle()
        let found = try #require(try lookUp(owner, root, ["a/run"])[0])
        #expect(found.isComplete && found.mode == told.mode && found.size == told.size)
    }

    @Test("A listing comes whole, however long it is")
    func lists() throws {
        var files: [String: TestRepository.Content] = ["small/f": .file("x")]
        for number in 0..<1500 { files["large/\(number)"] = .file("\(number)") }
        let world = try World(.antares, files)
        let owner = try world.owner()
        let found = try lookUp(owner, try owner.control.pin().root, ["small", "large"]).compactMap { $0?.id }
        guard case .listing(let packed) = try owner.control.ask(.list(origin: "main", directory: found[0])) else {
            throw Client.Closed()
        }
        #expect(try PackedDirectory(packed).items.map(\.name) == [Array("f".utf8)])
        _ = try owner.control.send(.list(origin: "main", directory: found[1]))
        var (_, payload, fds) = try owner.control.receive()
        guard case .listingFile(let size) = try ControlReply(operation: .list, from: &payload), let file = fds.take(0)
        else { throw Client.Closed() }
        #expect(try PackedDirectory(received: file, size: Int(size)).count == 1500)
    }

    @Test("What cannot be answered is an error with a reason")
    func refuses() throws {
        let world = try World(.antares, Self.files)
        let owner = try world.owner()
        let root = try owner.control.pin().root
        let unknown = #expect(throws: CacheError.self) { try owner.control.ask(.lookUp(origin: "other", places: [])) }
        #expect(unknown?.code == .unknownOrigin)
        let many = Array(repeating: "", count: TreePlace.pageLimit + 1)
        let refused = #expect(throws: CacheError.self) { try lookUp(owner, root, many) }
        #expect(refused?.code == .invalidRequest)
        #expect(throws: CacheError.self) { try lookUp(owner, .hash(tree: [1]), ["a"]) }
        world.origin.stop()
        let late = #expect(throws: CacheError.self) {
            try lookUp(owner, root, ["a/deep"], deadline: .after(.seconds(1)))
        }
        #expect(late?.code == .timedOut || late?.code == .unreachable)
    }
}
