public import GitObjects
import WireFormat

/// The sealed image that a mount stands on.
public struct ImageReference: Hashable, Sendable {
    public var origin: String
    /// The directory that is the mount's root.
    public var root: ObjectID
    /// Seconds after 1970.
    public var commitTime: Int64

    public init(origin: String, root: ObjectID, commitTime: Int64) {
        self.origin = origin
        self.root = root
        self.commitTime = commitTime
    }

    /// The image that shows a snapshot.
    public init(_ snapshot: PinnedSnapshot) {
        self.init(origin: snapshot.origin, root: snapshot.root, commitTime: snapshot.commitTime)
    }

    func encode(into writer: inout WireWriter) {
        writer.put(origin)
        writer.put(root)
        writer.put(commitTime)
    }

    init(from reader: inout WireReader) throws(WireError) {
        origin = try reader.string()
        root = try reader.objectID()
        commitTime = try reader.int64()
    }
}
