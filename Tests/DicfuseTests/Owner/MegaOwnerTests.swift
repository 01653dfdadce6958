import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner with a published Mega origin", .timeLimit(.minutes(2)))
struct MegaOwnerTests {
    let world: World

    init() throws {
        world = try World(
            .mega,
            [
                "README": .file("hello\n"),
                "bin/run": .script("#!/bin/sh\necho run\n"),
                "bin/odd": .script("no interpreter"),
                "bin/tool": .bytes([0x7F, 0x45, 0x4C, 0x46] + [UInt8](repeating: 0, count: 50_000)),
                "bin/data": .file("data"),
                "bin/link": .link("run"),
                "odd/a b&c%41#+\"ä/deep": .file("odd"),
            ])
    }

    private func index(_ name: String, in directory: PackedDirectory) throws -> Int {
        try #require(directory.index(of: Array(name.utf8)))
    }

    @Test("Pins by commit, names directories by path, resolves sizes when asked and keeps them")
    func wholePath() throws {
        let owner = try world.owner()
        let snapshot = try owner.control.pin()
        #expect(snapshot.commit == world.commit)
        #expect(snapshot.commitTime == 1_700_000_000)
        #expect(snapshot.root == PathKey.of(commit: world.commit, path: [0x2F]))
        #expect(snapshot.assurance == [])
        let worker = try owner.worker()
        let root = try worker.directory(snapshot.root)
        let bin = root[try index("bin", in: root)]
        #expect(bin.id == PathKey.of(commit: world.commit, path: Array("/bin".utf8)))
        let listing = try worker.directory(bin.id)
        let run = try index("run", in: listing)
        #expect(listing[run].mode == .executable)
        #expect(listing[run].flags == .sizeUnknown)
        #expect(listing[try index("odd", in: listing)].mode == .executable)
        #expect(listing[try index("data", in: listing)].mode == .regular)
        #expect(listing[try index("link", in: listing)].mode == .symlink)
        for position in 0..<listing.count {
            let (mode, size) = try worker.stat(bin.id, position)
            #expect(mode == listing[position].mode)
            let bytes = try worker.contents(listing[position].id, size: size)
            #expect(ObjectID.hash(blob: bytes) == listing[position].id)
        }
        #expect(owner.counter(.sizeFetches) == UInt64(listing.count))
        #expect(owner.counter(.guessedModes) == 0)
        owner.stop()
        let second = try world.owner()
        let again = try second.worker().directory(bin.id)
        let stats = again.items.map { ($0.entry.flags, $0.entry.size) }
        #expect(stats.allSatisfy { $0.0.isEmpty && $0.1 > 0 })
        #expect(second.counter(.sizeFetches) == 0)
    }

    @Test("When the head has moved on, contents tell which files are programs, once and for ever")
    func guessedModes() throws {
        _ = try world.repository.commit(["bin/new": .file("new")])
        try world.origin.refresh()
        let owner = try world.owner()
        let snapshot = try owner.control.pin(world.commit.hex, path: "/bin")
        let worker = try owner.worker()
        let listing = try worker.directory(snapshot.root)
        #expect(listing.index(of: Array("new".utf8)) == nil)
        #expect(listing.items.allSatisfy { $0.entry.flags == [.modeUnknown, .sizeUnknown] })
        let expected: [(String, FileMode)] = [
            ("run", .executable), ("tool", .executable), ("odd", .regular), ("data", .regular),
        ]
        for (name, mode) in expected {
            let (found, size) = try worker.stat(snapshot.root, try index(name, in: listing))
            #expect(found == mode)
            #expect(size > 0)
        }
        #expect(owner.counter(.guessedModes) == 4)
        owner.stop()
        let second = try world.owner()
        let kept = try second.worker().directory(snapshot.root)
        #expect(kept[try index("tool", in: kept)].mode == .executable)
        #expect(kept[try index("tool", in: kept)].isComplete)
        #expect(second.counter(.blobFetches) == 0)
    }

    @Test("An empty list is not a directory: the parent tells a missing path from a file")
    func missingPaths() throws {
        let owner = try world.owner()
        func code(_ path: String) -> CacheError.Code? {
            do {
                _ = try owner.control.pin(path: path)
                return nil
            } catch {
                return (error as? CacheError)?.code
            }
        }
        #expect(code("/none") == .notFound)
        #expect(code("/bin/none/deeper") == .notFound)
        #expect(code("/README") == .notADirectory)
        #expect(code("/bin") == nil)
    }

    @Test("A server that answers 500 for a name it does not know is told from one that fails")
    func unknownRevision() throws {
        let owner = try world.owner()
        let unknown = #expect(throws: CacheError.self) { try owner.control.pin("no-such-tag") }
        #expect(unknown?.code == .unknownRevision)
        world.origin.stop()
        let gone = #expect(throws: CacheError.self) { try owner.control.pin("no-such-tag") }
        #expect(gone?.code == .unreachable)
    }

    @Test("Names that mean something in an address are asked for as they are")
    func oddNames() throws {
        let owner = try world.owner()
        let snapshot = try owner.control.pin(path: "/odd/a b&c%41#+\"ä")
        let listing = try owner.worker().directory(snapshot.root)
        #expect(listing.items.map(\.name) == [Array("deep".utf8)])
    }

    @Test("A listing that suddenly is empty is an error, not an empty directory")
    func vanished() throws {
        let owner = try world.owner()
        let root = try owner.worker().directory(try owner.control.pin().root)
        let directory = root[try #require(root.index(of: Array("bin".utf8)))].id
        world.origin.remove(try world.repository.id("HEAD:bin"))
        let error = #expect(throws: CacheError.self) { try owner.worker().directory(directory) }
        #expect(error?.code == .corrupt)
    }

    @Test("A known commit pins, and what was listed stays, without the origin")
    func offline() throws {
        let owner = try world.owner()
        let snapshot = try owner.control.pin(path: "/bin")
        let listing = try owner.worker().directory(snapshot.root)
        owner.stop()
        world.origin.stop()
        let second = try world.owner()
        #expect(try second.control.pin(world.commit.hex, path: "/bin") == snapshot)
        #expect(try second.worker().directory(snapshot.root).items == listing.items)
    }

    // MARK: Imported repositories

    @Test("A repository that is served at its head only is found, marked and kept as it was first seen")
    func imports() throws {
        let commit = try world.repository.commit(["imp/.gitkeep": .file("placeholder"), "imp/x/.gitkeep": .file("")])
        let head = try world.repository.id("HEAD")
        let blob = try world.repository.id("HEAD:imp/.gitkeep")
        _ = try world.repository.commit(["a": .file("one"), "sub/b": .script("#!/bin/sh\n"), "late/c": .file("c")])
        let first = try world.repository.id("HEAD^{tree}")
        _ = try world.repository.commit(["a": .file("two"), "sub/b": .file("other"), "late/c": .file("changed")])
        let second = try world.repository.id("HEAD^{tree}")
        _ = try world.repository.git(["update-ref", "HEAD", head.hex])
        try world.origin.refresh()
        world.origin.serveImport(first, at: "/imp")

        let owner = try world.owner()
        let whole = try owner.control.pin()
        #expect(whole.commit == commit)
        #expect(whole.assurance == [])
        let snapshot = try owner.control.pin(path: "/imp")
        #expect(snapshot.assurance == .unpinnable)
        let worker = try owner.worker()
        let listing = try worker.directory(snapshot.root)
        let one = listing[try index("a", in: listing)]
        #expect(listing.index(of: Array(".gitkeep".utf8)) == nil)
        let sub = listing[try index("sub", in: listing)].id
        #expect(try worker.directory(sub)[0].mode == .executable)
        #expect(try owner.control.pin(path: "/imp/sub").assurance == .unpinnable)
        #expect(try owner.control.pin(path: "/bin").assurance == [])
        // Now it is known that there is one below the root.
        #expect(try owner.control.pin().assurance == .unpinnable)
        #expect(owner.counter(.unpinnableImports) == 1)

        // It moves on: what was seen stays; what was not seen is an error, never a mixture.
        world.origin.serveImport(second, at: "/imp")
        #expect(try worker.directory(snapshot.root).items == listing.items)
        #expect(try worker.contents(one.id, size: 3) == Array("one".utf8))
        let late = listing[try index("late", in: listing)].id
        let error = #expect(throws: CacheError.self) { try worker.directory(late) }
        #expect(error?.code == .corrupt)
        #expect(error?.message.contains("moved on") == true)
        #expect(owner.counter(.movedImports) == 1)
        owner.stop()
        let again = try world.owner()
        #expect(try again.control.pin(commit.hex, path: "/imp").assurance == .unpinnable)
        #expect(try again.worker().directory(snapshot.root).items == listing.items)
        #expect(blob != one.id)
    }

    @Test("Sizes of a directory that is gone through are asked for together, and each once")
    func sizesAhead() throws {
        var files: [String: TestRepository.Content] = [:]
        for index in 0..<120 { files["wide/f\(1000 + index)"] = .file("file \(index)") }
        _ = try world.repository.commit(files)
        try world.origin.refresh()
        let owner = try world.owner()
        let worker = try owner.worker()
        let root = try worker.directory(try owner.control.pin().root)
        let wide = root[try index("wide", in: root)].id
        let count = try worker.directory(wide).count
        for position in 0..<count {
            #expect(try worker.stat(wide, position).size == UInt64("file \(position)".utf8.count))
        }
        owner.settle()
        #expect(world.origin.requests("HEAD /api/v1/file/blob/") == count)
        // Some land before they are asked for, others are waited for on their way.
        #expect(owner.counter(.statMisses) + owner.counter(.statHits) == UInt64(count))
        #expect(owner.counter(.sizeFetches) == UInt64(count))
    }

    @Test("A lone question for a size is one request")
    func loneSize() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        let root = try worker.directory(try owner.control.pin().root)
        let bin = root[try index("bin", in: root)].id
        _ = try worker.stat(bin, 0)
        owner.settle()
        #expect(world.origin.requests("HEAD /api/v1/file/blob/") == 1)
    }
}
