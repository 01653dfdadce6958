import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

// Answers come too late for their deadlines when threads are slowed down and many.
@Suite(
    "Sealed images", .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil),
    .timeLimit(.minutes(2)))
struct SealingTests {
    private let world: World

    init() throws {
        var files: [String: TestRepository.Content] = [
            "link": .link("d0/f0"), "run": .script("#!/bin/sh\n"), "a/b/c/deep": .file("deep"), "empty": .file(""),
        ]
        for index in 0..<60 { files["d\(index % 6)/f\(index)"] = .file("file \(index)\n") }
        world = try World(.antares, files)
        world.origin.offer("blobs", "trees")
    }

    private func owner(endedCleanly: Bool = true) throws -> OwnerHarness {
        try world.owner(endedCleanly: endedCleanly) { $0.seal = true }
    }

    /// Pins until the snapshot is sealed.
    private func sealed(_ owner: OwnerHarness) throws -> PinnedSnapshot {
        while true {
            let snapshot = try owner.control.pin(world.commit.hex)
            if snapshot.isSealed { return snapshot }
            sched_yield()
        }
    }

    private func open(_ owner: OwnerHarness, _ snapshot: PinnedSnapshot) throws -> [SharedFD]? {
        let request = ControlRequest.sealed(
            origin: "main", root: snapshot.root, commitTime: snapshot.commitTime)
        _ = try owner.control.send(request)
        var (_, payload, fds) = try owner.control.receive()
        let reply = try ControlReply(operation: .sealed, from: &payload)
        #expect(fds.count == reply.descriptorCount)
        guard reply == .sealed(present: true) else { return nil }
        var files: [SharedFD] = []
        for place in 0..<3 {
            guard let file = fds.take(place) else { throw Client.Closed() }
            files.append(SharedFD(file))
        }
        return files
    }

    private func images() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: world.cache + "/main/images").sorted()
    }

    @Test("A pin has the snapshot sealed in the background, in a few requests")
    func seals() throws {
        let owner = try owner()
        let first = try owner.control.pin(world.commit.hex)
        #expect(!first.isSealed)
        let snapshot = try sealed(owner)
        #expect(owner.counter(.sealedImages) == 1)
        // One for each level of directories below the root, and one for the links.
        #expect(world.origin.requests("POST /antares/v1/trees") <= 4)
        #expect(world.origin.requests("POST /antares/v1/blobs") == 1)
        #expect(world.origin.requests("/file/blob/") == 0)
        #expect(try images().count == 2)
        let fds = try #require(try open(owner, snapshot))
        let image = fds[0]
        #expect(fcntl(image.raw, F_GETFL) & O_ACCMODE == O_RDONLY)
        // Another time is another image; another root has none.
        #expect(try open(owner, snapshot, time: 5) == nil)
        for _ in 0..<3 { _ = try owner.control.pin(world.commit.hex) }
        #expect(owner.counter(.sealedImages) == 1)
    }

    @Test("A pin of a sealed commit by its name needs no flight, and says the same as one that does")
    func pinsAtHand() throws {
        let owner = try owner()
        _ = try owner.control.pin(world.commit.hex)
        #expect(owner.counter(.pinsAtHand) == 0)
        let sealed = try sealed(owner)
        let before = owner.counter(.pinsAtHand)
        #expect(try owner.control.pin(world.commit.hex) == sealed)
        #expect(owner.counter(.pinsAtHand) == before + 1)
        #expect(try owner.control.pin() == sealed, "by way of a flight")
        // What is below it has no image yet, what is not there a reason.
        #expect(try owner.control.pin(world.commit.hex, path: "d0").root != sealed.root)
        #expect(throws: CacheError.self) { try owner.control.pin(world.commit.hex, path: "nowhere") }
        #expect(throws: CacheError.self) { try owner.control.pin(String(repeating: "1", count: 40)) }
        #expect(owner.counter(.pinsAtHand) == before + 1)
        while try !owner.control.pin(world.commit.hex, path: "d0").isSealed { sched_yield() }
        #expect(
            try owner.control.pin(world.commit.hex, path: "/d0/") == owner.control.pin(world.commit.hex, path: "d0"))
        #expect(owner.counter(.pinsAtHand) >= before + 3)
    }

    private func open(_ owner: OwnerHarness, _ snapshot: PinnedSnapshot, time: Int64) throws -> [SharedFD]? {
        var other = snapshot
        other.commitTime = time
        return try open(owner, other)
    }

    @Test("The image shows the snapshot, and overlayfs finds what was provided", .enabled(if: getuid() == 0))
    func mounts() throws {
        // The kernel mounts images of filesystems with a page cache of their own only, so not of a tmpfs.
        var template = Array("/tmp/sealing.XXXXXX".utf8CString)
        #expect(mkdtemp(&template) != nil)
        let cache = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: cache) }
        let owner = try world.owner {
            $0.seal = true
            $0.directory = cache
        }
        defer { owner.stop() }
        let snapshot = try sealed(owner)
        let worker = try owner.worker()
        for index in 0..<60 {
            #expect(try worker.ask(.provide(ObjectID.hash(blob: Array("file \(index)\n".utf8)))).reply == .provided)
        }
        let fds = try #require(try open(owner, snapshot))
        let (image, layer, inbox) = (fds[0], fds[1], fds[2])
        let context = try FilesystemContext("erofs")
        try context.set("source", "/proc/self/fd/\(image.raw)")
        try context.set("ro")
        try context.create()
        let metadata = try context.mount([.readOnly])
        for data in [layer, inbox] {
            let overlay = try FilesystemContext("overlay")
            try overlay.set("lowerdir+", fd: metadata.raw)
            try overlay.set("datadir+", fd: data.raw)
            try overlay.set("metacopy", "on")
            try overlay.set("redirect_dir", "on")
            try overlay.create()
            let merged = try overlay.mount([.readOnly])
            for index in 0..<60 {
                let file = try File.open(at: merged.raw, "d\(index % 6)/f\(index)", O_RDONLY)
                #expect(try File.contents(of: file.raw) == Array("file \(index)\n".utf8))
            }
            var buffer = [CChar](repeating: 0, count: 64)
            #expect(readlinkat(merged.raw, "link", &buffer, 63) == 5)
            var status = stat()
            #expect(fstatat(merged.raw, "run", &status, 0) == 0 && status.st_mode & 0o111 == 0o111)
            #expect(Int64(status.st_mtim.tv_sec) == snapshot.commitTime)
        }
    }

    @Test("The next owner goes on with an image, after a look at its contents")
    func survives() throws {
        let first = try owner()
        _ = try sealed(first)
        first.stop()
        let second = try owner()
        let snapshot = try sealed(second)
        #expect(second.counter(.sealedImages) == 0)
        #expect(try open(second, snapshot) != nil)
        #expect(second.counter(.damagedImages) == 0)
    }

    @Test("A damaged image is never offered, but made anew", arguments: ["changed", "cut", "record", "missing record"])
    func damaged(_ how: String) throws {
        let first = try owner()
        _ = try sealed(first)
        first.stop()
        let names = try images().map { world.cache + "/main/images/" + $0 }
        let (image, record) = (names[0], names[1])
        #expect(record.hasSuffix(".sizes"))
        #expect(chmod(image, 0o644) == 0)
        switch how {
        case "changed":
            let file = try File.open(image, O_RDWR)
            try [UInt8(0x55)].span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in
                try File.write(file.raw, bytes, at: 2001)
            }
        case "cut": #expect(truncate(image, 4096) == 0)
        case "record": #expect(truncate(record, 40) == 0)
        default: #expect(unlink(record) == 0)
        }
        let second = try owner()
        let snapshot = try sealed(second)
        #expect(second.counter(.damagedImages) == 1)
        #expect(second.counter(.sealedImages) == 1)
        #expect(try open(second, snapshot) != nil)
    }

    @Test("A store of an earlier layout keeps its objects, and its images are made anew", arguments: [false, true])
    func migrates(again: Bool) throws {
        let first = try owner()
        _ = try sealed(first)
        let id = ObjectID.hash(blob: Array("file 7\n".utf8))
        #expect(try first.worker().ask(.provide(id)).reply == .provided)
        first.stop()
        for layer in [StoreLayout.layer, StoreLayout.inbox] {
            let parent = "\(world.cache)/main/\(layer)"
            #expect(rename("\(parent)/\(StoreLayout.objects)", "\(parent)/\(StoreLayout.formerObjects[0])") == 0)
            // As after an owner of this layout, and then one of the earlier layout.
            if again { try Directory.create("\(parent)/\(StoreLayout.objects)") }
        }
        let requests = world.origin.requests("/file/blob/")
        let second = try owner()
        let snapshot = try sealed(second)
        #expect(second.counter(.sealedImages) == 1 && second.counter(.damagedImages) == 0)
        #expect(try open(second, snapshot) != nil)
        #expect(try second.worker().ask(.provide(id)).reply == .provided)
        #expect((world.origin.requests("/file/blob/") > requests) == again, "what is there is not fetched again")
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(world.cache)/main/layer")
        #expect(names == [StoreLayout.objects])
    }

    @Test("After an unclean end all images are made anew")
    func unclean() throws {
        let first = try owner()
        _ = try sealed(first)
        first.stop()
        let second = try owner(endedCleanly: false)
        #expect(try images().isEmpty)
        _ = try sealed(second)
        #expect(second.counter(.sealedImages) == 1)
    }

    @Test("A snapshot of which something cannot be had stays lazy, and is sealed when it can")
    func failures() throws {
        let tree = try world.repository.id("HEAD:a/b")
        world.origin.remove(tree)
        let owner = try owner()
        _ = try owner.control.pin(world.commit.hex)
        while owner.counter(.unsealed) == 0 { sched_yield() }
        let snapshot = try owner.control.pin(world.commit.hex)
        #expect(!snapshot.isSealed)
        #expect(try open(owner, snapshot) == nil)
        #expect(try images().isEmpty)
        owner.stop()
        try world.origin.refresh()
        _ = try sealed(self.owner())
    }

    @Test("A tree without sizes is not sealed")
    func sizes() throws {
        let mega = try World(.mega, ["a": .file("a"), "d/b": .file("b")])
        let owner = try mega.owner { $0.seal = true }
        _ = try owner.control.pin()
        while owner.counter(.unsealedForSizes) + owner.counter(.unsealed) == 0 { sched_yield() }
        #expect(owner.counter(.sealedImages) == 0)
    }

    @Test("Images count against the limit and are evicted like objects; one that is mounted goes on")
    func evicted() throws {
        let owner = try owner()
        let snapshot = try sealed(owner)
        let fds = try #require(try open(owner, snapshot))
        let image = fds[0]
        let size = try File.size(of: image.raw)
        #expect(size > 4096)
        _ = try owner.control.ask(.collect(target: 0))
        while try !images().isEmpty { sched_yield() }
        #expect(try File.size(of: image.raw) == size)
        owner.settle()
        _ = try sealed(owner)
        #expect(owner.counter(.sealedImages) == 2)
    }

    @Test("What living mounts stand on goes last: their image, and the objects of it that they may read without asking")
    func inUse() throws {
        let owner = try owner()
        var snapshot = try owner.control.pin(world.commit.hex, path: "/d0")
        while !snapshot.isSealed { snapshot = try owner.control.pin(world.commit.hex, path: "/d0") }
        func ids(_ directory: Int) -> [ObjectID] {
            stride(from: directory, to: 60, by: 6).map { ObjectID.hash(blob: Array("file \($0)\n".utf8)) }.sorted()
        }
        // Of two that were used at the same time the lower id goes first.
        let (inside, outside) = (ids(0)[0], ids(1).last!)
        #expect(inside < outside)
        var worker: Client? = try owner.worker()
        for id in [inside, outside] { #expect(try worker?.ask(.provide(id)).reply == .provided) }
        worker = nil
        while try owner.control.report().workers > 0 { sched_yield() }
        owner.settle()
        let files = try (0..<2).map { _ in try OwnedFileBox(File.open("/dev/null", O_RDONLY)) }
        let deposit = ControlRequest.deposit(mount: "m", image: ImageReference(snapshot))
        #expect(try owner.control.ask(deposit, fds: files.map { $0.value.raw }) == .deposited)
        let before = try owner.control.report().origins[0]
        #expect(before.images == 1 && before.mountedImages == 1 && before.imageBytes > 4096)

        let usage = before.objectBytes + before.imageBytes + before.indexBytes
        _ = try owner.control.ask(.collect(target: usage - 1))
        while try owner.control.report().eviction.rounds == 0 { sched_yield() }
        owner.settle()
        #expect(!exists(outside) && exists(inside))
        #expect(try owner.control.report().eviction.last?.mounted == 0)

        _ = try owner.control.ask(.collect(target: 0))
        while try !images().isEmpty { sched_yield() }
        owner.settle()
        #expect(!exists(inside))
        let round = try #require(try owner.control.report().eviction.last)
        #expect(round.mounted == 2 && round.mountedBytes == before.imageBytes + 4096)
        #expect(try owner.control.ask(.release(mount: "m")) == .released)
    }

    private func exists(_ id: ObjectID) -> Bool {
        let path =
            "\(world.cache)/main/\(StoreLayout.layer)/\(StoreLayout.objects)/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
        return access(path, F_OK) == 0
    }

    @Test("The sweep of the contents finds a damaged image, which is made anew")
    func swept() throws {
        let owner = try owner()
        let snapshot = try sealed(owner)
        let image = world.cache + "/main/images/" + (try images()[0])
        #expect(chmod(image, 0o644) == 0)
        let file = try File.open(image, O_RDWR)
        try [UInt8(0x55)].span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in
            try File.write(file.raw, bytes, at: 2001)
        }
        _ = try owner.control.ask(.verify)
        while owner.counter(.sealedImages) < 2 { sched_yield() }
        #expect(owner.counter(.damagedImages) == 1)
        while try !sealed(owner).isSealed { sched_yield() }
        #expect(try open(owner, snapshot) != nil)
        _ = try owner.control.ask(.verify)
        owner.settle()
        #expect(owner.counter(.damagedImages) == 1)
    }

    @Test("What is large is not waited for: its size is known from the image")
    func large() throws {
        let size = Int(WorkerReply.largeObject) + 1
        let world = try World(.antares, ["big": .bytes([UInt8](repeating: 7, count: size)), "small": .file("s")])
        world.origin.offer("blobs", "trees")
        let owner = try world.owner { $0.seal = true }
        var snapshot = try owner.control.pin()
        while !snapshot.isSealed { snapshot = try owner.control.pin() }
        let worker = try owner.worker()
        let id = try world.repository.id("HEAD:big")
        #expect(try worker.ask(.provide(id)).reply == .large(size: UInt64(size)))
        #expect(world.origin.requests("/file/blob/") == 0)
        #expect(try worker.contents(id, size: UInt64(size)).count == size)
        #expect(try worker.ask(.provide(id)).reply == .provided, "once it is here it is a file like any other")
    }

    @Test("Sizes are found by id, whatever the order")
    func sizeTable() throws {
        let ids = (0..<1000).map { ObjectID.hash(blob: Array("\($0)".utf8)) }
        let table = SizeTable(
            (ids + ids.reversed()).enumerated().map { index, id in
                (SizeTable.prefix(of: id), UInt64(index < 1000 ? index : 1999 - index))
            })
        #expect(table.count == 1000)
        let record = ImageRecord(bytes: 5, checksum: 6, isBase: true, sizes: table)
        let again = try #require(ImageRecord(record.encode()))
        for (index, id) in ids.enumerated() { #expect(again.sizes[id] == UInt64(index)) }
        #expect(again.sizes[.emptyBlobSHA1] == nil)
        var damaged = record.encode()
        damaged[damaged.count / 2] ^= 1
        #expect(ImageRecord(damaged) == nil)
        #expect(ImageRecord([]) == nil && ImageRecord(record.encode().dropLast()) == nil)
    }
}
