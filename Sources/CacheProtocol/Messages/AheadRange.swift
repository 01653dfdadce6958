public import GitObjects
import WireFormat

/// Entries of a directory that will probably be asked for next.
public struct AheadRange: Hashable, Sendable {
    public enum Wanted: UInt8, Sendable, CaseIterable {
        /// Contents of files.
        case contents = 0
        /// Listings of directories.
        case directories = 1
    }

    /// The most entries that can be wanted at once.
    public static let longest = 32

    public var directory: ObjectID
    public var wanted: Wanted
    /// Index of the entry to begin with.
    public var first: Int
    /// How many entries of the wanted kind.
    public var count: Int

    public init(directory: ObjectID, wanted: Wanted, first: Int, count: Int) {
        self.directory = directory
        self.wanted = wanted
        self.first = first
        self.count = count
    }

    func encode(_ writer: inout WireWriter) {
        writer.put(directory)
        writer.put(wanted.rawValue)
        writer.put(UInt32(clamping: first))
        writer.put(UInt32(clamping: count))
    }

    init(from reader: inout WireReader) throws(WireError) {
        directory = try reader.objectID()
        guard let wanted = Wanted(rawValue: try reader.uint8()) else { throw .invalid("kind of entries") }
        self.wanted = wanted
        first = Int(try reader.uint32())
        count = Int(try reader.uint32())
        guard count <= Self.longest else { throw .invalid("number of entries") }
    }
}

extension FileMode {
    /// Whether an entry of this mode is meant; links are read whole, and seldom.
    public func isWanted(_ wanted: AheadRange.Wanted) -> Bool {
        switch wanted {
        case .contents: self == .regular || self == .executable
        case .directories: self == .directory
        }
    }
}
