public import GitObjects
import WireFormat

/// One entry of a packed directory, without its name.
public struct PackedEntry: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The size is not known yet: ask with `WorkerRequest.stat` before showing one.
        public static let sizeUnknown = Flags(rawValue: 1)
        /// Whether it is executable is not known yet; the same question answers it.
        public static let modeUnknown = Flags(rawValue: 2)
        /// It differs from what the commit has at its place, and shows the time of the change.
        public static let changed = Flags(rawValue: 4)
    }

    public var mode: FileMode
    public var flags: Flags
    /// A blob; or a directory, to be asked for with `WorkerRequest.directory`; or a submodule's commit.
    public var id: ObjectID
    /// Bytes, for entries that have a blob; 0 for others.
    public var size: UInt64

    public init(mode: FileMode, flags: Flags = [], id: ObjectID, size: UInt64) {
        self.mode = mode
        self.flags = flags
        self.id = id
        self.size = size
    }

    /// Whether an answer to the kernel can be made of it.
    public var isComplete: Bool {
        flags.isDisjoint(with: [.sizeUnknown, .modeUnknown])
    }
}

extension PackedEntry {
    func encode(into writer: inout WireWriter) {
        writer.put(mode.rawValue)
        writer.put(flags.rawValue)
        writer.put(size)
        writer.put(id)
    }

    init(from reader: inout WireReader) throws(WireError) {
        guard let mode = FileMode(rawValue: try reader.uint32()) else { throw .invalid("mode") }
        let flags = Flags(rawValue: try reader.uint8())
        let size = try reader.uint64()
        self.init(mode: mode, flags: flags, id: try reader.objectID(), size: size)
    }
}
