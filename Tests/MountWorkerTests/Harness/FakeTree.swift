import CacheProtocol
import GitObjects
import LinuxSystem

/// What a test puts into a tree.
indirect enum FakeItem: Sendable {
    case file([UInt8], executable: Bool = false)
    case link([UInt8])
    case submodule
    case directory([(name: [UInt8], item: FakeItem)])
    /// A blob that is served from a file.
    case stored(SharedFD, size: UInt64)
    /// A file whose size is not in the listing.
    case unsized([UInt8], executable: Bool)

    static func text(_ text: String) -> FakeItem {
        .file(Array(text.utf8))
    }

    static func folder(_ items: [(String, FakeItem)]) -> FakeItem {
        .directory(items.map { (Array($0.0.utf8), $0.1) })
    }
}

/// Packed directories and blobs under invented ids.
struct FakeTree: Sendable {
    enum Blob: Sendable {
        case bytes([UInt8])
        case file(SharedFD, UInt64)
    }

    struct Detail: Sendable {
        var mode: FileMode
        var size: UInt64
    }

    private(set) var directories: [ObjectID: [UInt8]] = [:]
    private(set) var blobs: [ObjectID: Blob] = [:]
    /// Answers to `stat`, by directory and index.
    private(set) var details: [ObjectID: [UInt32: Detail]] = [:]
    /// Ids by path, "" for the root.
    private(set) var ids: [String: ObjectID] = [:]
    private(set) var root = ObjectID.emptyTreeSHA1
    private var counter: UInt64 = 0

    init(_ items: [(String, FakeItem)]) throws {
        root = try add("", .folder(items)).id
    }

    init(root items: [(name: [UInt8], item: FakeItem)]) throws {
        root = try add("", .directory(items)).id
    }

    static func id(_ number: UInt64) -> ObjectID {
        var bytes = [UInt8](repeating: 0xA5, count: 20)
        for index in 0..<8 { bytes[12 + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * (7 - index))) }
        return ObjectID(kind: .sha1, bytes: bytes)!
    }

    private mutating func add(_ path: String, _ item: FakeItem) throws -> PackedEntry {
        counter += 1
        let id = Self.id(counter)
        ids[path] = id
        switch item {
        case .file(let bytes, let executable):
            blobs[id] = .bytes(bytes)
            return PackedEntry(mode: executable ? .executable : .regular, id: id, size: UInt64(bytes.count))
        case .unsized(let bytes, _):
            blobs[id] = .bytes(bytes)
            return PackedEntry(mode: .regular, flags: [.sizeUnknown, .modeUnknown], id: id, size: 0)
        case .link(let target):
            blobs[id] = .bytes(target)
            return PackedEntry(mode: .symlink, id: id, size: UInt64(target.count))
        case .submodule:
            return PackedEntry(mode: .submodule, id: id, size: 0)
        case .stored(let file, let size):
            blobs[id] = .file(file, size)
            return PackedEntry(mode: .regular, id: id, size: size)
        case .directory(let items):
            var packed: [DirectoryPacker.Item] = []
            for (name, item) in items {
                let child =
                    path.isEmpty
                    ? String(decoding: name, as: UTF8.self) : path + "/" + String(decoding: name, as: UTF8.self)
                packed.append(DirectoryPacker.Item(name: name, entry: try add(child, item)))
            }
            let bytes = try DirectoryPacker.pack(packed)
            directories[id] = bytes
            let sorted = try PackedDirectory(bytes)
            for (name, item) in items {
                guard case .unsized(let contents, let executable) = item, let index = sorted.index(of: name) else {
                    continue
                }
                details[id, default: [:]][UInt32(index)] = Detail(
                    mode: executable ? .executable : .regular, size: UInt64(contents.count))
            }
            return PackedEntry(mode: .directory, id: id, size: 0)
        }
    }
}
