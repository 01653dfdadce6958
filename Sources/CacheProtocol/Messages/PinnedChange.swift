public import GitObjects
import WireFormat

/// What a changelist made of a commit's tree.
public struct PinnedChange: Hashable, Sendable {
    public var name: String
    /// Where the changelist begins, as an absolute path in the origin's tree.
    public var root: [UInt8]
    /// mtime, ctime and atime of what differs from the commit; seconds after 1970, and later than the commit's time.
    public var time: Int64
    /// Files that are put or taken away within the mount.
    public var files: UInt32
    /// The id that Git gives the mount's root; nil if that is not known.
    public var tree: ObjectID?

    public init(name: String, root: [UInt8], time: Int64, files: UInt32, tree: ObjectID?) {
        self.name = name
        self.root = root
        self.time = time
        self.files = files
        self.tree = tree
    }

    func encode(into writer: inout WireWriter) {
        writer.put(name)
        writer.put(bytes: root)
        writer.put(time)
        writer.put(files)
        writer.put(UInt8(tree == nil ? 0 : 1))
        if let tree { writer.put(tree) }
    }

    init(from reader: inout WireReader) throws(WireError) {
        name = try reader.string()
        root = try reader.lengthPrefixedBytes()
        time = try reader.int64()
        files = try reader.uint32()
        tree = try reader.uint8() == 1 ? try reader.objectID() : nil
    }
}
