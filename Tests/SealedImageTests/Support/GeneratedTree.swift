import CacheProtocol
import GitObjects
import SealedImage

/// A tree of directories in memory, made from a seed.
struct GeneratedTree: TreeSource {
    /// What a path is expected to be.
    struct Expected: Hashable {
        var mode: FileMode
        var size: UInt64
        var target: [UInt8]?
        var id: ObjectID
        var isChanged: Bool
    }

    private(set) var root: ObjectID
    private(set) var directories: [ObjectID: PackedDirectory] = [:]
    private(set) var links: [ObjectID: [UInt8]] = [:]
    /// By path from the root, without a leading slash.
    private(set) var paths: [[UInt8]: Expected] = [:]
    private var random: SeededGenerator
    private var nextID: UInt64 = 1
    /// Whether some entries are what a changelist has changed.
    private let marks: Bool

    static let oddNames: [[UInt8]] = [
        Array("!".utf8), Array("-".utf8), Array(".-".utf8), Array("...".utf8), Array("..a".utf8), Array(".a".utf8),
        [0xff, 0xfe], [0x01], Array("a b\nc".utf8), [UInt8](repeating: 0x78, count: 255),
    ]

    /// `sizes`: how many entries the directories have, the root first.
    init(seed: UInt64, entries sizes: [Int], depth: Int, marks: Bool = false) {
        self.marks = marks
        random = SeededGenerator(state: seed)
        root = ObjectID.emptyTreeSHA1
        var remaining = sizes[...]
        root = directory(at: [], depth: depth, sizes: &remaining)
    }

    /// One directory of small files.
    init(seed: UInt64, files: Int) {
        marks = false
        random = SeededGenerator(state: seed)
        root = ObjectID.emptyTreeSHA1
        let items = (0..<files).map { number in
            let name = "file-\(100_000 + number)"
            return DirectoryPacker.Item(
                name: Array(name.utf8), entry: PackedEntry(mode: .regular, id: makeID(), size: UInt64(number + 1)))
        }
        directories[root] = (try? DirectoryPacker.pack(items)).flatMap { try? PackedDirectory($0) }
    }

    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory {
        guard let found = directories[id] else { throw .incomplete(directory: id) }
        return found
    }

    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8] {
        guard let found = links[id] else { throw .link(id) }
        return found
    }

    private mutating func directory(at path: [UInt8], depth: Int, sizes: inout ArraySlice<Int>) -> ObjectID {
        let count = sizes.popFirst() ?? Int(random.next() % 12)
        var names = Set<[UInt8]>(random.next() % 2 == 0 ? Self.oddNames : [])
        while names.count < count { names.insert(Array("entry-\(random.next() % 1_000_000)".utf8)) }
        var items: [DirectoryPacker.Item] = []
        for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let child = path.isEmpty ? name : path + [0x2f] + name
            var entry = entry(at: child, depth: depth, sizes: &sizes)
            if marks, random.next() % 3 == 0 { entry.flags = .changed }
            items.append(DirectoryPacker.Item(name: name, entry: entry))
            paths[child] = Expected(
                mode: entry.mode, size: entry.size, target: links[entry.id], id: entry.id,
                isChanged: entry.flags.contains(.changed))
        }
        let id = makeID()
        directories[id] = (try? DirectoryPacker.pack(items)).flatMap { try? PackedDirectory($0) }
        return id
    }

    private mutating func entry(at path: [UInt8], depth: Int, sizes: inout ArraySlice<Int>) -> PackedEntry {
        switch random.next() % 10 {
        case 0...1 where depth > 0:
            let id = directory(at: path, depth: depth - 1, sizes: &sizes)
            return PackedEntry(mode: .directory, id: id, size: 0)
        case 2:
            let id = makeID()
            links[id] = [UInt8](repeating: 0x74, count: 1 + Int(random.next() % 3000))
            return PackedEntry(mode: .symlink, id: id, size: UInt64(links[id]?.count ?? 0))
        case 3: return PackedEntry(mode: .submodule, id: makeID(), size: 0)
        case 4: return PackedEntry(mode: .regular, id: makeID(), size: 0)
        case 5: return PackedEntry(mode: .regular, id: makeID(), size: 5 << 30 + random.next() % 100)
        case 6: return PackedEntry(mode: .executable, id: makeID(), size: random.next() % 100_000 + 1)
        default: return PackedEntry(mode: .regular, id: makeID(), size: random.next() % 100_000 + 1)
        }
    }

    private mutating func makeID() -> ObjectID {
        nextID += 1
        var bytes = [UInt8](repeating: 0, count: 20)
        for place in 0..<8 { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
        for place in 0..<8 { bytes[12 + place] = UInt8(truncatingIfNeeded: nextID >> (8 * UInt64(place))) }
        return ObjectID(kind: .sha1, bytes: bytes) ?? .emptyBlobSHA1
    }
}

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
