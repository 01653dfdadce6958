import Foundation
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Index files, looked at without LMDB")
final class IndexAuditTests {
    private let directory: String

    init() throws {
        directory = try TemporaryDirectory.make("audit")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Many transactions of all kinds; what is in the index afterwards.
    private func fill(_ seed: UInt64, rounds: Int) throws -> [IndexTable: [[UInt8]: [UInt8]]] {
        var random = Seeded(seed)
        var truth: [IndexTable: [[UInt8]: [UInt8]]] = [:]
        let index = try IndexEnvironment(directory, readers: 2)
        for _ in 0..<rounds {
            var changes: [(table: IndexTable, key: ObjectID, value: [UInt8]?)] = []
            for _ in 0..<Int.random(in: 1...60, using: &random) {
                let table: IndexTable = [.trees, .blobs, .paths].randomElement(using: &random) ?? .trees
                let size = Int.random(in: 0..<4, using: &random) > 0 ? 30 : Int.random(in: 0...9000, using: &random)
                let known = truth[table]?.keys.randomElement(using: &random)
                if let known, Int.random(in: 0..<3, using: &random) == 0,
                    let id = known.withUnsafeBytes({ IndexKey.objectID($0) })
                {
                    changes.append((table, id, Bool.random(using: &random) ? nil : random.bytes(size)))
                } else {
                    changes.append((table, random.id(), random.bytes(size)))
                }
            }
            try index.write { (index) throws(IndexError) in
                for change in changes {
                    if let value = change.value {
                        try index.put(change.table, IndexKey(change.key), value)
                    } else {
                        try index.delete(change.table, IndexKey(change.key))
                    }
                }
            }
            for change in changes { truth[change.table, default: [:]][IndexKey(change.key).bytes] = change.value }
        }
        return truth
    }

    @Test("What LMDB writes is in order, after any number of changes", arguments: 0..<6)
    func sound(_ seed: UInt64) throws {
        for round in 1...8 {
            _ = try fill(seed * 100 + UInt64(round), rounds: round * 4)
            try IndexAudit.check(directory + "/data.mdb")
        }
    }

    @Test("No file and an empty one are the begin of a new index")
    func absent() throws {
        try IndexAudit.check(directory + "/data.mdb")
        try Data().write(to: URL(fileURLWithPath: directory + "/data.mdb"))
        try IndexAudit.check(directory + "/data.mdb")
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: directory + "/data.mdb"))
        #expect(throws: IndexDamage.self) { try IndexAudit.check(directory + "/data.mdb") }
    }

    @Test("An entry that says another length is found: LMDB would move its neighbours by it")
    func lengths() throws {
        _ = try fill(7, rounds: 6)
        let path = directory + "/data.mdb"
        let intact = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        func isRefused(_ change: (inout [UInt8]) -> Void) throws -> Bool {
            var bytes = intact
            change(&bytes)
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return Result { () throws(IndexDamage) in try IndexAudit.check(path) }.isFailure
        }
        func word(_ offset: Int) -> Int { Int(intact[offset]) | Int(intact[offset + 1]) << 8 }
        var tried = 0
        for page in stride(from: 8192, to: intact.count, by: 4096) where word(page + 10) == 2 {
            // Pages that are not in use are not looked at.
            guard try isRefused({ $0[page + 10] = 0 }) else { continue }
            for index in 0..<(word(page + 12) - 16) / 2 {
                let node = page + word(page + 16 + 2 * index)
                // A short value in the page itself.
                guard word(node + 4) == 0, intact[node] < 250 else { continue }
                tried += 1
                let length = intact[node]
                let lengths: [UInt8] = length >= 2 ? [length + 2, length - 2] : [length + 2]
                for changed in lengths {
                    #expect(try isRefused { $0[node] = changed }, "page \(page / 4096) entry \(index)")
                }
            }
        }
        #expect(tried > 20)
    }

    @Test("Every value is found in a file whose tree is gone", arguments: 0..<6)
    func salvage(_ seed: UInt64) throws {
        let truth = try fill(seed, rounds: 20)
        let path = directory + "/data.mdb"
        // Without its two first pages nothing says where anything is.
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: Data([UInt8](repeating: 0xFF, count: 8192)))
        try file.close()
        #expect(throws: IndexDamage.self) { try IndexAudit.check(path) }
        var found: [IndexTable: [[UInt8]: Set<[UInt8]>]] = [:]
        var salvage = try #require(try IndexSalvage(path))
        while let entries = try salvage.next() {
            for entry in entries { found[entry.table, default: [:]][entry.key, default: []].insert(entry.value) }
        }
        for (table, values) in truth {
            for (key, value) in values { #expect(found[table]?[key]?.contains(value) == true) }
        }
    }

    @Test("The same value in another place is no value")
    func misplaced() throws {
        let value: [UInt8] = [1, 2, 3]
        var random = Seeded(1)
        let keys = [random.id(), random.id()].map { IndexKey($0).bytes }
        let stored = Checksum.seal(value, seed: keys[0].withUnsafeBytes { Checksum.seed(.trees, $0) })
        func isValue(_ table: IndexTable, _ key: [UInt8]) -> Bool {
            stored.withUnsafeBytes { stored in
                key.withUnsafeBytes { Checksum.open(stored, seed: Checksum.seed(table, $0)) != nil }
            }
        }
        #expect(isValue(.trees, keys[0]))
        #expect(!isValue(.blobs, keys[0]))
        #expect(!isValue(.trees, keys[1]))
    }
}

extension Result {
    fileprivate var isFailure: Bool {
        if case .failure = self { true } else { false }
    }
}
