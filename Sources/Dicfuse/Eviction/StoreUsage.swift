import WireFormat

/// What the objects of a store take of a disk. Kept in the index, in the same transaction as the records it sums up.
struct StoreUsage: Hashable, Sendable {
    /// Object files, each one inode.
    var objects: UInt64 = 0
    /// Their bytes, each file rounded up to blocks.
    var bytes: UInt64 = 0

    /// The unit in which file systems give out space to small files.
    static let block: UInt64 = 4096

    /// What a file of `size` bytes takes.
    static func footprint(of size: UInt64) -> UInt64 {
        size > .max - block ? .max : (size + block - 1) / block * block
    }

    init(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }

    /// Follows a record that changed.
    mutating func change(from old: BlobRecord?, to new: BlobRecord?) {
        if let old, old.flags.contains(.present) {
            objects -= min(objects, 1)
            bytes -= min(bytes, Self.footprint(of: old.size))
        }
        if let new, new.flags.contains(.present) {
            objects += 1
            bytes += min(Self.footprint(of: new.size), .max - bytes)
        }
    }

    static func + (left: StoreUsage, right: StoreUsage) -> StoreUsage {
        StoreUsage(objects: left.objects + right.objects, bytes: left.bytes + right.bytes)
    }

    func encode() -> [UInt8] {
        var writer = WireWriter()
        writer.put(objects)
        writer.put(bytes)
        return writer.bytes
    }

    init(_ encoded: [UInt8]) throws(WireError) {
        var reader = WireReader(encoded)
        self.init(objects: try reader.uint64(), bytes: try reader.uint64())
        try reader.end()
    }
}
