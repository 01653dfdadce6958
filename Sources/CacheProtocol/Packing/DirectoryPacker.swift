public import GitObjects
import WireFormat

/// Builds the packed form of a directory.
public enum DirectoryPacker {
    /// An entry with its name.
    public struct Item: Hashable, Sendable {
        public var name: [UInt8]
        public var entry: PackedEntry

        public init(name: [UInt8], entry: PackedEntry) {
            self.name = name
            self.entry = entry
        }
    }

    /// An entry that must not be served.
    public enum Refusal: Error, Hashable, Sendable {
        case name([UInt8], EntryName.Problem)
        case duplicate([UInt8])
        case tooLarge
    }

    /// Sorts and packs. A forbidden name or a duplicate refuses the whole directory: a tree that holds one was made to deceive.
    public static func pack(_ items: [Item]) throws(Refusal) -> [UInt8] {
        for item in items {
            if let problem = EntryName.check(item.name) { throw .name(item.name, problem) }
        }
        let sorted = items.sorted { left, right in
            left.name.withUnsafeBytes { a in right.name.withUnsafeBytes { b in NameOrder.compare(a, b) < 0 } }
        }
        for (left, right) in zip(sorted, sorted.dropFirst()) where left.name == right.name {
            throw .duplicate(left.name)
        }
        let nameBytes = sorted.reduce(0) { $0 + $1.name.count + 1 }
        guard let nameField = UInt32(exactly: nameBytes), let count = UInt32(exactly: sorted.count) else {
            throw .tooLarge
        }
        let size = PackedDirectory.headerSize + sorted.count * PackedDirectory.entrySize + nameBytes
        var writer = WireWriter(capacity: size)
        writer.put(PackedDirectory.magic)
        writer.put(PackedDirectory.version)
        writer.put(UInt16(0))
        writer.put(count)
        writer.put(nameField)
        var offset: UInt32 = 0
        for item in sorted {
            writer.put(item.entry.mode.rawValue)
            writer.put(offset)
            writer.put(UInt16(item.name.count))
            writer.put(item.entry.id.kind.rawValue)
            writer.put(item.entry.flags.rawValue)
            writer.put(UInt32(0))
            writer.put(item.entry.size)
            writer.put(raw: item.entry.id.bytes + [UInt8](repeating: 0, count: 32 - item.entry.id.byteCount))
            offset += UInt32(item.name.count + 1)
        }
        for item in sorted {
            writer.put(raw: item.name)
            writer.put(UInt8(0))
        }
        return writer.bytes
    }
}
