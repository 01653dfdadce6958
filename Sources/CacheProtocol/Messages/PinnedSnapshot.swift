public import GitObjects
import WireFormat

/// One commit of an origin, seen from one of its directories: all that a mount is made of.
public struct PinnedSnapshot: Hashable, Sendable {
    /// What is known about the snapshot's trees.
    public struct Assurance: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Every tree is checked against its Git id.
        public static let treesVerified = Assurance(rawValue: 1)
        /// The origin cannot serve this part at a fixed commit: what is first seen is kept for the life of the snapshot.
        public static let unpinnable = Assurance(rawValue: 2)
    }

    public var origin: String
    public var commit: ObjectID
    /// Committer time, seconds after 1970.
    public var commitTime: Int64
    /// The directory that is the mount's root, for `WorkerRequest.directory`.
    public var root: ObjectID
    public var assurance: Assurance
    /// Whether there is a sealed image of it now, for `ControlRequest.sealed`.
    public var isSealed: Bool
    /// What a changelist did to the commit's tree, if one was applied.
    public var change: PinnedChange?

    public init(
        origin: String, commit: ObjectID, commitTime: Int64, root: ObjectID, assurance: Assurance,
        isSealed: Bool = false, change: PinnedChange? = nil
    ) {
        self.origin = origin
        self.commit = commit
        self.commitTime = commitTime
        self.root = root
        self.assurance = assurance
        self.isSealed = isSealed
        self.change = change
    }

    func encode(into writer: inout WireWriter) {
        writer.put(origin)
        writer.put(commit)
        writer.put(commitTime)
        writer.put(root)
        writer.put(assurance.rawValue)
        writer.put(UInt8(isSealed ? 1 : 0))
    }

    init(from reader: inout WireReader) throws(WireError) {
        origin = try reader.string()
        commit = try reader.objectID()
        commitTime = try reader.int64()
        root = try reader.objectID()
        assurance = Assurance(rawValue: try reader.uint8())
        isSealed = try reader.uint8() == 1
        change = nil
    }
}
