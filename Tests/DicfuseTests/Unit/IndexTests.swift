import CacheProtocol
import Foundation
import GitObjects
import Glibc
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Index")
final class IndexTests {
    private let directory: String
    private let id = ObjectID.emptyTreeSHA1

    init() throws {
        directory = try TemporaryDirectory.make("index")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func slot(_ environment: IndexEnvironment) -> IndexSlot {
        IndexSlot(path: directory, readers: 2, environment: environment)
    }

    @Test("What was written is read back, by an old reader and after a reopening")
    func roundTrip() throws {
        do {
            let index = try IndexEnvironment(directory, readers: 2)
            let reader = try IndexReader(slot(index))
            #expect(try reader.packedDirectory(id) == nil)
            let path = PathRecord(commit: id, path: Array("/a".utf8), listed: .emptyBlobSHA1)
            try index.write { (index) throws(IndexError) in
                try index.put(.trees, IndexKey(id), [1, 2, 3])
                try index.put(.paths, IndexKey(id), path.encode())
                try index.put(.snapshots, IndexKey(id), SnapshotRecord(root: id, time: -5).encode())
            }
            #expect(try reader.packedDirectory(id) == [1, 2, 3])
            #expect(try reader.path(id) == path)
        }
        let again = try IndexEnvironment(directory, readers: 2)
        let reader = try IndexReader(slot(again))
        #expect(try reader.snapshot(id) == SnapshotRecord(root: id, time: -5))
        try again.write { (index) throws(IndexError) in try index.delete(.trees, IndexKey(id)) }
        #expect(try reader.packedDirectory(id) == nil)
    }

    @Test("Damage that was met in an index which has been replaced meanwhile says nothing of the one in its place")
    func lateDoubt() throws {
        let index = directory + "/index"
        let slot = try IndexSlot.open(index, readers: 2).slot
        try slot.current.write { (transaction) throws(IndexError) in
            try transaction.put(.trees, IndexKey(id), [UInt8](repeating: 1, count: 8000))
        }
        #expect(!slot.doubt())
        let early = try IndexReader(slot)
        let late = try IndexReader(slot)
        let size = Int(try FileStatus(of: index + "/data.mdb").size)
        try overwrite(index + "/data.mdb", [UInt8](repeating: 0, count: size - 8192), at: 8192)
        #expect(throws: IndexError.self) { try early.packedDirectory(id) }
        #expect(throws: IndexError.self) { try late.packedDirectory(id) }
        #expect(slot.doubt())
        #expect(!slot.doubt(), "once is enough")
        _ = try slot.replace()
        // The second reader's error is handled only now.
        #expect(!slot.doubt())
        #expect(try late.packedDirectory(id) == nil)
        #expect(!slot.doubt())
    }

    @Test("An index that was cut short is damage, not the end of the process")
    func cutShort() throws {
        do {
            let index = try IndexEnvironment(directory, readers: 2)
            try index.write { (index) throws(IndexError) in
                for number in UInt8(0)..<64 {
                    let id = ObjectID(kind: .sha1, bytes: [UInt8](repeating: number, count: 20)) ?? self.id
                    try index.put(.trees, IndexKey(id), [UInt8](repeating: 1, count: 8000))
                }
            }
        }
        #expect(truncate(directory + "/data.mdb", 20000) == 0)
        #expect(throws: IndexError.self) {
            let index = try IndexEnvironment(directory, readers: 2)
            _ = try IndexReader(slot(index)).packedDirectory(id)
        }
    }

    @Test("An error in a transaction leaves nothing of it")
    func aborted() throws {
        let index = try IndexEnvironment(directory, readers: 2)
        let reader = try IndexReader(slot(index))
        #expect(throws: IndexError.self) {
            try index.write { (index) throws(IndexError) in
                try index.put(.trees, IndexKey(id), [1])
                try IndexError.check(ENOSPC, "test")
            }
        }
        #expect(try reader.packedDirectory(id) == nil)
    }

    @Test("A value with a wrong checksum is as good as absent")
    func damagedValue() throws {
        var stored = Checksum.seal(Array("some value of a few words".utf8), seed: 5)
        #expect(
            stored.withUnsafeBytes { Checksum.open($0, seed: 5).map { Array($0) } }
                == Array("some value of a few words".utf8))
        #expect(stored.withUnsafeBytes { Checksum.open($0, seed: 6) == nil })
        for position in stored.indices {
            stored[position] ^= 0x10
            #expect(stored.withUnsafeBytes { Checksum.open($0, seed: 5) == nil })
            stored[position] ^= 0x10
        }
        stored.removeLast()
        #expect(stored.withUnsafeBytes { Checksum.open($0, seed: 5) == nil })
    }

    @Test("A verified size outlives what an origin says, and a guessed mode outlives the contents")
    func mergedRecords() {
        let said = BlobRecord.merged(nil, size: 9, present: false, executable: true, now: 1)
        #expect(said.executable == true)
        let verified = BlobRecord.merged(said, size: 8, present: true, executable: nil, now: 2)
        #expect(verified == BlobRecord(size: 8, flags: [.present, .modeKnown, .executable], lastUse: 2))
        let again = BlobRecord.merged(verified, size: 9, present: false, executable: false, now: 3)
        #expect(again.size == 8)
        #expect(again.executable == false)
    }

    @Test("An index that is none is moved aside, and serving begins with an empty one")
    func damagedIndex() throws {
        let world = try World(.antares, ["a": .file("a")])
        try FileManager.default.createDirectory(
            atPath: "\(world.cache)/main/index", withIntermediateDirectories: true)
        try Data([UInt8](repeating: 7, count: 16384)).write(
            to: URL(fileURLWithPath: "\(world.cache)/main/index/data.mdb"))
        let owner = try world.owner()
        #expect(try owner.worker().directory(try owner.control.pin().root).count == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(world.cache)/main")
        #expect(names.contains { $0.hasPrefix("index.damaged-") })
    }
}
