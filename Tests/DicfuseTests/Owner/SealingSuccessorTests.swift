import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

// Answers come too late for their deadlines when threads are slowed down and many.
@Suite(
    "Sealed images that are made from others",
    .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .timeLimit(.minutes(2)))
final class SealingSuccessorTests {
    private let world: World
    private let cache: String

    init() throws {
        var files: [String: TestRepository.Content] = ["link": .link("d0/f0"), "a/b/c/deep": .file("deep")]
        for index in 0..<240 { files["d\(index % 12)/f\(index)"] = .file("file \(index)\n") }
        world = try World(.antares, files)
        world.origin.offer("blobs", "trees")
        // The kernel mounts images of filesystems with a page cache of their own only, so not of a tmpfs.
        var template = Array("/tmp/sealing.XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        cache = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: cache)
    }

    private func owner() throws -> OwnerHarness {
        try world.owner { [cache] in
            $0.seal = true
            $0.directory = cache
        }
    }

    private func sealed(_ owner: OwnerHarness, _ commit: ObjectID) throws -> PinnedSnapshot {
        while true {
            let snapshot = try owner.control.pin(commit.hex)
            if snapshot.isSealed { return snapshot }
            sched_yield()
        }
    }

    private func commit(_ files: [String: TestRepository.Content], removing: [String] = []) throws -> ObjectID {
        for path in removing { try FileManager.default.removeItem(atPath: world.repository.directory + "/" + path) }
        let commit = try world.repository.commit(files)
        try world.origin.refresh()
        return commit
    }

    /// The files that the image of a snapshot shows, and those of its commit.
    private func compare(_ owner: OwnerHarness, _ snapshot: PinnedSnapshot) throws {
        _ = try owner.control.send(
            ControlRequest.sealed(origin: "main", root: snapshot.root, commitTime: snapshot.commitTime))
        var (_, payload, fds) = try owner.control.receive()
        guard try ControlReply(operation: .sealed, from: &payload) == .sealed(present: true), let image = fds.take(0)
        else { throw Client.Closed() }
        let context = try FilesystemContext("erofs")
        try context.set("source", "/proc/self/fd/\(image.raw)")
        try context.set("ro")
        try context.create()
        let mount = try context.mount([.readOnly])
        let root = try File.open(at: mount.raw, ".", O_RDONLY | O_DIRECTORY)
        let listed = try world.repository.git(["ls-tree", "-r", "--name-only", "-z", snapshot.commit.hex])
        #expect(try paths(root.raw, "") == Set(listed.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }))
    }

    private func paths(_ directory: Int32, _ prefix: String) throws -> Set<String> {
        var found: Set<String> = []
        for name in try Directory.names(of: directory).map({ String(decoding: $0, as: UTF8.self) }) {
            if let below = try? File.open(at: directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
                found.formUnion(try paths(below.raw, prefix + name + "/"))
            } else {
                found.insert(prefix + name)
            }
        }
        return found
    }

    @Test(
        "The image of the next commit is a copy of the one before, changed where the commit has",
        .enabled(if: getuid() == 0))
    func nextCommit() throws {
        let owner = try owner()
        let first = try sealed(owner, world.commit)
        #expect(owner.counter(.imagesFromOthers) == 0)
        let second = try commit(
            ["d3/f3": .file("changed"), "a/b/new": .file("new"), "a/link": .link("b/new")], removing: ["d5/f5"])
        let trees = world.origin.requests("POST /antares/v1/trees")
        try compare(owner, try sealed(owner, second))
        #expect(owner.counter(.imagesFromOthers) == 1)
        #expect(world.origin.requests("POST /antares/v1/trees") <= trees + 3)
        // What is new in it has its size.
        let id = ObjectID.hash(blob: Array("changed".utf8))
        #expect(try owner.worker().ask(.provide(id)).reply == .provided)
        // The third is made from the first, too: a copy of a copy would carry everything that was ever there.
        let third = try commit(["d4/f4": .file("changed too")])
        try compare(owner, try sealed(owner, third))
        try compare(owner, first)
        #expect(owner.counter(.imagesFromOthers) == 2 && owner.counter(.sealedImages) == 3)
    }

    @Test("A change of a large part is a whole image, and the next ones are made from it", .enabled(if: getuid() == 0))
    func largeChange() throws {
        let owner = try owner()
        _ = try sealed(owner, world.commit)
        var files: [String: TestRepository.Content] = [:]
        for index in 0..<1500 { files["new/\(index % 30)/f\(index)"] = .file("new \(index)\n") }
        try compare(owner, try sealed(owner, try commit(files)))
        #expect(owner.counter(.imagesFromOthers) == 0 && owner.counter(.sealedImages) == 2)
        try compare(owner, try sealed(owner, try commit(["new/0/f0": .file("again")])))
        #expect(owner.counter(.imagesFromOthers) == 1)
    }

    @Test("An owner that finds the first image on its disk makes others from it", .enabled(if: getuid() == 0))
    func nextOwner() throws {
        let first = try owner()
        _ = try sealed(first, world.commit)
        first.stop()
        let second = try owner()
        _ = try sealed(second, world.commit)
        try compare(second, try sealed(second, try commit(["d1/f1": .file("changed")])))
        #expect(second.counter(.imagesFromOthers) == 1 && second.counter(.sealedImages) == 1)
    }

    @Test("Where the first image cannot be read a whole one is made", .enabled(if: getuid() == 0))
    func damagedBase() throws {
        let owner = try owner()
        _ = try sealed(owner, world.commit)
        let images = cache + "/main/images/"
        for name in try FileManager.default.contentsOfDirectory(atPath: images) where !name.hasSuffix(".sizes") {
            try overwrite(images + name, [UInt8](repeating: 0xff, count: 2048), at: 1024)
        }
        try compare(owner, try sealed(owner, try commit(["d1/f1": .file("changed")])))
        #expect(owner.counter(.imagesFromOthers) == 0 && owner.counter(.sealedImages) == 2)
    }

    @Test("Who pins the next commit first finds it sealed", .enabled(if: getuid() == 0))
    func atOnce() throws {
        let owner = try owner()
        _ = try sealed(owner, world.commit)
        // It is waited for a moment only, so that a machine under load may miss it now and then.
        var found = 0
        for round in 0..<8 {
            let next = try commit(["d1/f1": .file("changed \(round)")])
            if try owner.control.pin(next.hex).isSealed { found += 1 }
            try compare(owner, try sealed(owner, next))
        }
        #expect(found > 0)
    }

    @Test("Sizes of two trees are those of both")
    func sizes() {
        let table = SizeTable([(1, 10), (5, 50), (9, 90)])
        let both = table.adding([(5, 55), (7, 70), (0, 1), (12, 120)])
        #expect(both.count == 6)
        #expect(table.adding([]).count == 3 && SizeTable([]).adding([(3, 4)]).count == 1)
        func size(_ prefix: UInt64) -> UInt64? {
            var bytes = [UInt8](repeating: 0, count: 20)
            for place in 0..<8 { bytes[place] = UInt8(truncatingIfNeeded: prefix >> UInt64(56 - 8 * place)) }
            return ObjectID(kind: .sha1, bytes: bytes).flatMap { both[$0] }
        }
        #expect(size(0) == 1 && size(1) == 10 && size(5) == 50 && size(7) == 70 && size(9) == 90 && size(12) == 120)
        #expect(size(2) == nil)
    }
}
