import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner and the limits of its store", .timeLimit(.minutes(2)))
struct LimitTests {
    private func used(_ owner: OwnerHarness) -> StoreUsage {
        owner.server.status.origins.reduce(StoreUsage()) {
            StoreUsage(objects: $0.objects + $1.objects, bytes: $0.bytes + $1.objectBytes)
        }
    }

    @Test(
        "Above a limit the store comes down to the low watermark, and everything stays readable",
        arguments: [true, false])
    func limits(_ inBytes: Bool) throws {
        let library = try Library(sizes: (0..<96).map { 20_000 + $0 * 100 })
        let owner = try library.world.owner {
            if inBytes {
                $0.limit = 1 << 20
                $0.highWatermark = 90
                $0.lowWatermark = 60
            } else {
                $0.inodeLimit = 30
            }
        }
        let root = try library.root(owner.control)
        // More than fits passes through several times.
        for _ in 0..<3 { #expect(try library.wrong(try owner.worker(), root) == []) }
        owner.settle()
        let left = used(owner)
        if inBytes {
            #expect(left.bytes + owner.server.status.origins[0].indexBytes <= 1 << 20)
        } else {
            #expect(left.objects <= 30)
        }
        #expect(left.objects > 0)
        #expect(owner.counter(.evictedObjects) > 100)
        #expect(owner.counter(.storageFailures) == 0)
        #expect(owner.server.status.eviction.unmet == nil)
        // The count is what is there.
        let files =
            FileManager.default.enumerator(atPath: library.world.cache + "/main/layer/.GIT")?.allObjects
            .count ?? 0
        #expect(UInt64(files - 256) == left.objects)
    }

    @Test("What a living mount has asked for goes last, and the least recently used goes first")
    func order() throws {
        let library = try Library(sizes: [Int](repeating: 40_000, count: 16))
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        do {
            let gone = try owner.worker()
            #expect(try library.wrong(gone, root) == [])
        }
        let living = try owner.worker()
        for name in ["d0/f0", "d1/f15"] {
            let bytes = try living.contents(library.id(name), size: 40_000)
            #expect((bytes == library.files[name]) as Bool)
        }
        while owner.server.status.workers > 1 { sched_yield() }
        owner.settle()
        let before = used(owner)
        #expect(before.objects == 16)
        // Room for the index and three objects.
        let target = owner.server.status.origins[0].indexBytes + 3 * StoreUsage.footprint(of: 40_000)
        guard case .collecting = try owner.control.ask(.collect(target: target)) else { throw Client.Closed() }
        owner.settle()
        #expect(used(owner).objects == 3)
        for name in ["d0/f0", "d1/f15"] { #expect(access(library.object(library.id(name)), F_OK) == 0) }
        #expect(owner.server.status.eviction.last?.mounted == 0)
    }

    @Test("A limit that cannot be kept is said, and costs no error")
    func unmet() throws {
        let library = try Library(sizes: [Int](repeating: 5000, count: 40))
        let owner = try library.world.owner { $0.limit = 16 << 10 }
        let root = try library.root(owner.control)
        #expect(try library.wrong(try owner.worker(), root) == [])
        owner.settle()
        #expect(owner.server.status.eviction.unmet?.contains("limit") == true)
        #expect(owner.counter(.limitsUnmet) > 0)
        #expect(try library.wrong(try owner.worker(), root) == [])
    }

    @Test("A new owner goes on with the count and the order of the one before")
    func restart() throws {
        let library = try Library(sizes: [Int](repeating: 5000, count: 24))
        var owner = try library.world.owner()
        let root = try library.root(owner.control)
        #expect(try library.wrong(try owner.worker(), root) == [])
        owner.settle()
        let before = used(owner)
        owner.stop()
        owner = try library.world.owner()
        #expect(try owner.control.pin().root == root)
        owner.settle()
        #expect(used(owner) == before)
        #expect(before == StoreUsage(objects: 24, bytes: 24 * 8192))
    }
}

/// Small file systems to fill. They are mounted, so only root can.
@Suite(
    "Owner on a full disk",
    .enabled(if: getuid() == 0 && ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .serialized,
    .timeLimit(.minutes(2)))
struct FullDiskTests {
    final class SmallDisk {
        let path: String

        init(_ options: String) throws {
            path = try TemporaryDirectory.make("disk")
            guard mount("tmpfs", path, "tmpfs", 0, options) == 0 else { throw SystemError(Errno.current, "mount") }
        }

        deinit {
            umount2(path, Int32(MNT_DETACH))
            rmdir(path)
        }
    }

    @Test(
        "A full disk is made room on, and what does not fit streams through: no reader sees an error",
        arguments: ["size=3m", "size=64m,nr_inodes=593"])
    func full(_ options: String) throws {
        let disk = try SmallDisk(options)
        // Made now: a store may leave no inode free, so there may be none for it later.
        try #require(FileManager.default.createFile(atPath: disk.path + "/hog", contents: nil))
        let library = try Library(sizes: (0..<120).map { $0 % 10 == 0 ? 400_000 : 20_000 })
        var configuration = CacheConfiguration.test(disk.path, library.world.origin.url)
        configuration.limit = 0
        let owner = try OwnerHarness(configuration)
        defer { owner.stop() }
        let root = try library.root(owner.control)
        for _ in 0..<2 { #expect(try library.wrong(try owner.worker(), root) == []) }
        owner.settle()
        #expect(owner.counter(.evictedObjects) > 0)
        // Somebody else takes what is left: nothing can be stored and nothing helps.
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: disk.path + "/hog"))
        defer { try? file.close() }
        let megabyte = Data(count: 1 << 20)
        var number = 0
        while (try? file.write(contentsOf: megabyte)) != nil {}
        while FileManager.default.createFile(atPath: disk.path + "/hog\(number)", contents: Data([1])) { number += 1 }
        #expect(try library.wrong(try owner.worker(), root) == [])
        guard case .status = try owner.control.ask(.status) else { throw Client.Closed() }
        // A new owner can begin on it.
        owner.stop()
        let next = try OwnerHarness(configuration)
        defer { next.stop() }
        #expect(try library.wrong(try next.worker(), try library.root(next.control)) == [])
        // And when there is room again, it is used.
        for hog in try FileManager.default.contentsOfDirectory(atPath: disk.path) where hog.hasPrefix("hog") {
            try FileManager.default.removeItem(atPath: disk.path + "/" + hog)
        }
        try file.truncate(atOffset: 0)
    }

    @Test("Memory for what does not fit is bounded: beyond it is an error that says so, and the owner goes on")
    func bounded() throws {
        let disk = try SmallDisk("size=2m")
        let library = try Library(sizes: [100, 3_000_000])
        var configuration = CacheConfiguration.test(disk.path, library.world.origin.url)
        configuration.fullDiskMemory = 1 << 20
        let owner = try OwnerHarness(configuration)
        defer { owner.stop() }
        let worker = try owner.worker()
        let error = #expect(throws: CacheError.self) { try worker.contents(library.id("d0/f1"), size: 3_000_000).count }
        #expect(error?.code == .noSpace)
        owner.settle()
        #expect(owner.server.status.eviction.diskFull)
        #expect(try worker.contents(library.id("d0/f0"), size: 100) == library.files["d0/f0"])
    }
}
