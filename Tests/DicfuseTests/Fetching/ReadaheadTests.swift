import CacheProtocol
import GitHashing
import GitObjects
import Testing

@testable import Dicfuse

@Suite("Readahead")
struct ReadaheadTests {
    private func blob(_ number: Int) -> ObjectID { .hash(blob: Array("\(number)".utf8)) }

    /// A listing of so many files, numbered from `first`, each of `size` bytes, and two directories.
    private func listing(_ count: Int, first: Int = 0, size: UInt64 = 10) throws -> [UInt8] {
        var items = (0..<count).map { index in
            DirectoryPacker.Item(
                name: Array("f\(1000 + index)".utf8),
                entry: PackedEntry(mode: .regular, id: blob(first + index), size: size))
        }
        for (name, id) in [("d1", ObjectID.hash(tree: [1])), ("d2", .hash(tree: [2]))] {
            items.append(
                DirectoryPacker.Item(
                    name: Array(name.utf8), entry: PackedEntry(mode: .directory, id: id, size: 0)))
        }
        return try DirectoryPacker.pack(items)
    }

    @Test("What follows in the directory is guessed, files for a file and directories for a directory")
    func neighbours() throws {
        var readahead = Readahead()
        readahead.listed(.hash(tree: [9]), try listing(100))
        #expect(readahead.missed(blob(500)).isEmpty)
        let first = readahead.missed(blob(3))
        #expect(first.map(\.id) == (4..<20).map { blob($0) })
        let second = readahead.missed(blob(20))
        #expect(second.map(\.id) == (21..<53).map { blob($0) })
        let directories = readahead.missed(.hash(tree: [1]))
        #expect(directories.map(\.id) == [.hash(tree: [2])])
        #expect(readahead.missed(blob(99)).isEmpty)
    }

    @Test("A window has so many bytes, and large blobs are not guessed")
    func bytes() throws {
        var readahead = Readahead()
        readahead.listed(.hash(tree: [9]), try listing(100, size: 60 << 10))
        #expect(readahead.missed(blob(0)).count == 8)
        readahead.listed(.hash(tree: [8]), try listing(100, first: 1000, size: 65 << 10))
        #expect(readahead.missed(blob(1000)).isEmpty)
    }

    @Test("Where guesses are wrong, hardly anything is guessed any more; where they are right again, more is")
    func adapts() throws {
        var readahead = Readahead()
        var guesses = 0
        for number in 0..<200 {
            readahead.listed(.hash(tree: [UInt8(number), 9]), try listing(50, first: number * 100))
            let found = readahead.missed(blob(number * 100))
            readahead.guess(found.map(\.id))
            guesses += found.count
        }
        #expect(guesses < 200)
        // Someone reads through one directory: it is seen, and guessed again.
        readahead.listed(.hash(tree: [7, 7]), try listing(900, first: 50_000))
        var misses = 0
        for number in 50_000..<50_900 where !readahead.used(blob(number)) {
            misses += 1
            readahead.guess(readahead.missed(blob(number)).map(\.id))
        }
        #expect(misses < 100)
    }

    @Test("Old directories are forgotten")
    func bounded() throws {
        var readahead = Readahead()
        for number in 0..<(Readahead.directoryLimit * 3) {
            readahead.listed(.hash(tree: Array("\(number)".utf8)), try listing(2, first: number * 10))
        }
        #expect(readahead.missed(blob(0)).isEmpty)
        #expect(!readahead.missed(blob(Readahead.directoryLimit * 3 * 10 - 10)).isEmpty)
    }
}
