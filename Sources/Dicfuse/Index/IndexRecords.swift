import GitObjects
import WireFormat

/// What is known of a blob.
struct BlobRecord: Hashable, Sendable {
    struct Flags: OptionSet, Hashable, Sendable {
        let rawValue: UInt8
        /// Its object file was complete when this was written.
        static let present = Flags(rawValue: 1)
        /// `executable` was found by looking at its contents.
        static let modeKnown = Flags(rawValue: 2)
        static let executable = Flags(rawValue: 4)
    }

    var size: UInt64
    var flags: Flags
    /// Seconds after 1970.
    var lastUse: Int64

    init(size: UInt64, flags: Flags, lastUse: Int64) {
        self.size = size
        self.flags = flags
        self.lastUse = lastUse
    }

    func encode() -> [UInt8] {
        var writer = WireWriter()
        writer.put(size)
        writer.put(flags.rawValue)
        writer.put(lastUse)
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        size = try reader.uint64()
        flags = Flags(rawValue: try reader.uint8())
        lastUse = try reader.int64()
        try reader.end()
    }
}

/// A commit: where its root is and when it was made.
struct SnapshotRecord: Hashable, Sendable {
    var root: ObjectID
    /// Committer time, seconds after 1970.
    var time: Int64

    init(root: ObjectID, time: Int64) {
        self.root = root
        self.time = time
    }

    func encode() -> [UInt8] {
        var writer = WireWriter()
        writer.put(root)
        writer.put(time)
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        root = try reader.objectID()
        time = try reader.int64()
        try reader.end()
    }
}

/// What a path key stands for: one directory of one commit at an origin that lists by path only.
struct PathRecord: Hashable, Sendable {
    var commit: ObjectID
    /// Absolute, `/` for the root, no trailing slash.
    var path: [UInt8]
    /// The tree id the parent's listing gave; nil for the root.
    var listed: ObjectID?
    /// It lies in a repository that the origin serves at its head only, whatever commit is asked for.
    var isUnpinnable: Bool

    init(commit: ObjectID, path: [UInt8], listed: ObjectID?, isUnpinnable: Bool = false) {
        self.commit = commit
        self.path = path
        self.listed = listed
        self.isUnpinnable = isUnpinnable
    }

    func encode() -> [UInt8] {
        var writer = WireWriter()
        writer.put(commit)
        writer.put(bytes: path)
        writer.put(UInt8(listed == nil ? 0 : 1) | UInt8(isUnpinnable ? 2 : 0))
        if let listed { writer.put(listed) }
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        commit = try reader.objectID()
        path = try reader.lengthPrefixedBytes()
        let flags = try reader.uint8()
        listed = flags & 1 == 0 ? nil : try reader.objectID()
        isUnpinnable = flags & 2 != 0
        try reader.end()
    }
}

/// What a name meant, and when.
struct RefRecord: Hashable, Sendable {
    var commit: ObjectID
    /// Milliseconds after 1970.
    var seen: Int64

    init(commit: ObjectID, seen: Int64) {
        self.commit = commit
        self.seen = seen
    }

    func encode() -> [UInt8] {
        var writer = WireWriter()
        writer.put(commit)
        writer.put(seen)
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes)
        commit = try reader.objectID()
        seen = try reader.int64()
        try reader.end()
    }
}
