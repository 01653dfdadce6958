import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner and damage on its disk", .timeLimit(.minutes(5)))
struct DamageTests {
    // MARK: Objects

    @Test("A verification finds contents that changed, sets them aside and fetches them again")
    func verify() throws {
        let library = try Library(sizes: [Int](repeating: 50_000, count: 12))
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        #expect(try library.wrong(try owner.worker(), root) == [])
        owner.settle()
        let damaged = ["d0/f3", "d1/f9"].map { library.id($0) }
        for id in damaged { try overwrite(library.object(id), [1, 2, 3], at: 40_000) }
        let lost = library.id("d0/f0")
        try FileManager.default.removeItem(atPath: library.object(lost))
        try Data([1]).write(to: URL(fileURLWithPath: library.object(lost) + ".junk"))
        guard case .verifying = try owner.control.ask(.verify) else { throw Client.Closed() }
        owner.settle()
        let report = owner.server.status.sweep
        #expect(report.kind == .verify && !report.isInterrupted)
        #expect(report.damaged == 2 && report.missing == 1 && report.failed == 0)
        #expect(report.objects == 12)
        #expect(report.bytes == 11 * 50_000)
        // They were fetched again without anybody asking.
        for id in damaged {
            #expect(ObjectID.hash(blob: Array(try Data(contentsOf: URL(fileURLWithPath: library.object(id))))) == id)
        }
        let aside = try FileManager.default.contentsOfDirectory(atPath: library.world.cache + "/main/quarantine")
        #expect(Set(aside).isSuperset(of: damaged.map(\.hex)) && aside.count == 3)
        #expect(try library.wrong(try owner.worker(), root) == [])
        guard case .collecting = try owner.control.ask(.collect(target: nil)) else { throw Client.Closed() }
        owner.settle()
        #expect(try FileManager.default.contentsOfDirectory(atPath: library.world.cache + "/main/quarantine").isEmpty)
    }

    @Test("After an unclean end everything is looked at without being asked for")
    func unclean() throws {
        let library = try Library(sizes: [Int](repeating: 50_000, count: 8))
        var owner = try library.world.owner()
        let root = try library.root(owner.control)
        #expect(try library.wrong(try owner.worker(), root) == [])
        owner.settle()
        owner.stop()
        // What a power cut leaves of files that were not synced: too short, and zeros.
        truncate(library.object(library.id("d0/f1")), 0)
        try overwrite(library.object(library.id("d0/f2")), [UInt8](repeating: 0, count: 50_000))
        owner = try library.world.owner(endedCleanly: false) { _ in }
        owner.settle()
        #expect(owner.counter(.damagedObjects) == 2)
        #expect(owner.server.status.sweep.kind == .contents)
        #expect(try library.wrong(try owner.worker(), root) == [])
    }

    @Test("With the index lost and the origin gone, objects are served from their files")
    func orphans() throws {
        let library = try Library(sizes: [Int](repeating: 50_000, count: 8) + [10])
        var owner = try library.world.owner()
        #expect(try library.wrong(try owner.worker(), try library.root(owner.control)) == [])
        owner.settle()
        owner.stop()
        try FileManager.default.removeItem(atPath: library.world.cache + "/main/index")
        library.world.origin.stop()
        owner = try library.world.owner(endedCleanly: false) { _ in }
        let worker = try owner.worker()
        for (path, bytes) in library.files {
            let found = try worker.contents(library.id(path), size: UInt64(bytes.count))
            #expect((found == bytes) as Bool, "\(path)")
        }
        owner.settle()
        #expect(owner.server.status.origins[0].objects == 9)
    }

    // MARK: The index

    /// What happens to a file on a bad disk.
    private func damage(_ path: String, _ random: inout Seeded) throws -> String {
        let size = Int(try FileStatus(of: path).size)
        let pages = size / 4096
        let page = Int.random(in: 0..<pages, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0:
            let offset = Int.random(in: 0..<size, using: &random)
            try overwrite(path, random.bytes(1), at: offset)
            return "a byte at \(offset)"
        case 1:
            try overwrite(path, random.bytes(4096), at: page * 4096)
            return "garbage in page \(page)"
        case 2:
            try overwrite(path, [UInt8](repeating: 0, count: 4096), at: page * 4096)
            return "zeros in page \(page)"
        case 3:
            let length = Int.random(in: 0..<size, using: &random)
            truncate(path, off_t(length))
            return "cut to \(length)"
        case 4:
            let other = Int.random(in: 0..<pages, using: &random)
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            try file.seek(toOffset: UInt64(other * 4096))
            let bytes = try file.read(upToCount: 4096) ?? Data()
            try overwrite(path, Array(bytes), at: page * 4096)
            return "page \(other) in the place of page \(page)"
        case 5:
            // Headers are where structure is.
            let offset = page * 4096 + Int.random(in: 0..<64, using: &random)
            try overwrite(path, random.bytes(2), at: offset)
            return "two bytes in the header of page \(page)"
        default:
            for _ in 0..<8 { try overwrite(path, random.bytes(16), at: Int.random(in: 0..<size - 16, using: &random)) }
            return "eight scattered places"
        }
    }

    @Test(
        "Two hundred damaged indexes: nothing wrong is served, and nothing fails",
        arguments: [StubOrigin.Dialect.antares, .mega])
    func damagedIndexes(_ dialect: StubOrigin.Dialect) throws {
        let library = try Library(dialect, sizes: (0..<64).map { 10 + $0 * 37 })
        let first = try library.world.owner()
        let root = try library.root(first.control)
        #expect(try library.wrong(try first.worker(), root) == [])
        first.settle()
        first.stop()
        let index = library.world.cache + "/main/index/data.mdb"
        let intact = try Data(contentsOf: URL(fileURLWithPath: index))
        var replaced = 0
        for seed in UInt64(0)..<100 {
            let store = library.world.cache + "/main"
            for name in try FileManager.default.contentsOfDirectory(atPath: store) where name.hasPrefix("index") {
                try FileManager.default.removeItem(atPath: store + "/" + name)
            }
            try FileManager.default.createDirectory(atPath: store + "/index", withIntermediateDirectories: true)
            try intact.write(to: URL(fileURLWithPath: index))
            var random = Seeded(seed)
            let what = try damage(index, &random)
            let owner = try OwnerHarness(.test(library.world.cache, library.world.origin.url))
            defer { owner.stop() }
            // A mount that was there before asks for the root by its id, not through a pin.
            let wrong = Result { try library.wrong(try owner.worker(), root) }
            if case .success([]) = wrong {} else { Issue.record("seed \(seed), \(what): \(wrong)") }
            if owner.counter(.damagedIndexes) > 0 { replaced += 1 }
            owner.stop()
            // What was left behind is in order, whatever it went through.
            try IndexAudit.check(index)
        }
        #expect(replaced > 20)
    }

    @Test("An index that is damaged while it is in use is replaced, and serving goes on")
    func damagedWhileServing() throws {
        let library = try Library(sizes: (0..<64).map { 10 + $0 * 37 })
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        let worker = try owner.worker()
        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        let index = library.world.cache + "/main/index/data.mdb"
        let size = Int(try FileStatus(of: index).size)
        // All but the two first pages: the map shows it at once.
        try overwrite(index, [UInt8](repeating: 0, count: size - 8192), at: 8192)
        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        #expect(owner.counter(.damagedIndexes) == 1)
        #expect(try library.wrong(try owner.worker(), try library.root(owner.control)) == [])
        try IndexAudit.check(index)
    }

    @Test("A process without a descriptor left answers an error, not an absence, and fetches nothing")
    func descriptors() throws {
        let library = try Library(sizes: [100_000])
        let owner = try OwnerProcess(.test(library.world.cache, library.world.origin.url), openFileLimit: 64)
        #expect(owner.linesUntilReady().last == "info event=ready")
        let control = try owner.connect()
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        let id = library.id("d0/f0")
        let first = try worker.contents(id, size: 100_000)
        #expect((first == library.files["d0/f0"]) as Bool)
        let fetched = library.world.origin.requests(id.hex)
        // Other workers take what is left.
        var others: [Client] = []
        while others.count < 64, let other = try? control.attach("main") { others.append(other) }
        #expect(others.count < 64)
        // The connection that could not be given one more is closed, which frees one, and what was in use for a moment (by a commit, by
        // the connection to the origin) comes free later. New ones take it.
        var fillers: [Client] = []
        var error: CacheError?
        while error == nil, fillers.count < 64 {
            do {
                _ = try worker.contents(id, size: 100_000)
                fillers.append(try owner.connect())
                _ = try fillers.last?.ask(.status)
            } catch let refusal as CacheError {
                error = refusal
            }
        }
        #expect(error?.code == .storage)
        fillers = []
        others = []
        var bytes: [UInt8]?
        for _ in 0..<10_000 where bytes == nil { bytes = try? worker.contents(id, size: 100_000) }
        #expect((bytes == library.files["d0/f0"]) as Bool)
        #expect(library.world.origin.requests(id.hex) == fetched)
    }
}
