public import GitObjects

/// The node ids of one listed directory: entry `i`, in name order, is node `base + i`. So a node id is a function of the walk, and the
/// table of blocks is all that a new worker needs to go on with the nodes that the kernel holds.
public struct DirectoryBlock: Hashable, Sendable {
    /// Bytes in the table.
    static let size = 64
    /// FUSE_ROOT_ID; the root is the only entry of the first block.
    public static let rootNode: UInt64 = 1

    public var base: UInt64
    public var count: UInt32
    /// Node of the directory that was listed; 0 for the first block.
    public var parent: UInt64
    /// The directory that was listed (for the first block: the root itself).
    public var directory: ObjectID

    public init(base: UInt64, count: UInt32, parent: UInt64, directory: ObjectID) {
        self.base = base
        self.count = count
        self.parent = parent
        self.directory = directory
    }

    init(loading address: UnsafeRawPointer) {
        base = address.load(as: UInt64.self)
        count = address.load(fromByteOffset: 8, as: UInt32.self)
        parent = address.load(fromByteOffset: 16, as: UInt64.self)
        let kind = ObjectID.Kind(rawValue: address.load(fromByteOffset: 12, as: UInt8.self)) ?? .sha1
        let bytes = UnsafeRawBufferPointer(start: address + 24, count: kind.byteCount)
        directory = ObjectID(kind: kind, bytes: bytes) ?? .emptyTreeSHA1
    }

    func store(at address: UnsafeMutableRawPointer) {
        address.storeBytes(of: base, as: UInt64.self)
        address.storeBytes(of: count, toByteOffset: 8, as: UInt32.self)
        address.storeBytes(of: directory.kind.rawValue, toByteOffset: 12, as: UInt8.self)
        address.storeBytes(of: parent, toByteOffset: 16, as: UInt64.self)
        directory.withBytes { (address + 24).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }
}
