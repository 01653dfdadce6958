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
        for item in items {
            paths[item.name] = Expected(
                mode: .regular, size: item.entry.size, target: nil, id: item.entry.id, isChanged: false)
        }
    }

    /// Changes some entries of some directories, as commits do: adds, removes, replaces, moves directories, and changes kinds.
    func edited(seed: UInt64, changes: Int, marked: Bool = false) -> GeneratedTree {
        var tree = self
        tree.random = SeededGenerator(state: seed)
        tree.nextID = 1_000_000
        var items = directories.mapValues(\.items)
        for _ in 0..<changes {
            let ids = items.keys.sorted { $0.hex < $1.hex }
            let id = ids[Int(tree.random.next() % UInt64(ids.count))]
            tree.change(&items[id]!, marked, ids)
        }
        tree.rebuild(items, marked)
        return tree
    }

    private mutating func change(_ items: inout [DirectoryPacker.Item], _ marked: Bool, _ directories: [ObjectID]) {
        let flags: PackedEntry.Flags = marked ? .changed : []
        let name = Array("new-\(random.next() % 1_000_000)".utf8)
        let file = PackedEntry(mode: .regular, flags: flags, id: makeID(), size: random.next() % 10_000)
        switch items.isEmpty ? 0 : random.next() % 6 {
        case 0: items.append(DirectoryPacker.Item(name: name, entry: file))
        case 1: items.remove(at: Int(random.next() % UInt64(items.count)))
        case 2, 3: items[Int(random.next() % UInt64(items.count))].entry = file
        case 4:
            let place = Int(random.next() % UInt64(items.count))
            items[place].entry.mode = items[place].entry.mode == .regular ? .executable : items[place].entry.mode
        default:
            var moved = items.remove(at: Int(random.next() % UInt64(items.count)))
            moved.name = name
            items.append(moved)
        }
    }

    /// Gives what has changed, and what is above it, new ids, and finds all paths again.
    private mutating func rebuild(_ items: [ObjectID: [DirectoryPacker.Item]], _ marked: Bool) {
        var packed: [ObjectID: PackedDirectory] = [:]
        paths = [:]
        root = rebuild(root, at: [], items, marked, &packed).id
        directories = packed
    }

    private mutating func rebuild(
        _ id: ObjectID, at path: [UInt8], _ items: [ObjectID: [DirectoryPacker.Item]], _ marked: Bool,
        _ packed: inout [ObjectID: PackedDirectory]
    ) -> (id: ObjectID, isNew: Bool) {
        var entries = (items[id] ?? []).sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for place in entries.indices {
            let child = path.isEmpty ? entries[place].name : path + [0x2f] + entries[place].name
            if entries[place].entry.mode == .directory {
                let (below, isNew) = rebuild(entries[place].entry.id, at: child, items, marked, &packed)
                entries[place].entry.id = below
                if isNew, marked { entries[place].entry.flags = .changed }
            }
            let entry = entries[place].entry
            paths[child] = Expected(
                mode: entry.mode, size: entry.size, target: links[entry.id], id: entry.id,
                isChanged: entry.flags.contains(.changed))
        }
        let made = (try? DirectoryPacker.pack(entries)).flatMap { try? PackedDirectory($0) } ?? .empty
        let isSame = directories[id].map { $0.items == made.items } ?? false
        let new = isSame ? id : makeID()
        packed[new] = made
        return (new, !isSame)
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
