public import GitObjects
import WireFormat

/// What the cache owner had at hand of a range of entries before anybody asked for them.
public struct AheadAnswer: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
        /// The packed directory.
        case directory([UInt8])
        /// The object file, of exactly `size` bytes, is the next of the message's descriptors.
        case file(size: UInt64)
    }

    public struct Item: Hashable, Sendable {
        /// Of the entry in its directory.
        public var index: Int
        public var content: Content

        public init(index: Int, content: Content) {
            self.index = index
            self.content = content
        }
    }

    /// Bytes of a message that an item takes besides its contents.
    public static let itemOverhead = 16

    public var directory: ObjectID
    public var wanted: AheadRange.Wanted
    /// Index of the first entry that was not looked at; nil at the directory's end.
    public var next: Int?
    public var items: [Item]

    public init(directory: ObjectID, wanted: AheadRange.Wanted, next: Int?, items: [Item]) {
        self.directory = directory
        self.wanted = wanted
        self.next = next
        self.items = items
    }

    public var descriptorCount: Int {
        items.count { if case .file = $0.content { true } else { false } }
    }

    private enum Form: UInt8 {
        case directory = 0
        case file = 1
    }

    func encode(_ writer: inout WireWriter) {
        writer.put(directory)
        writer.put(wanted.rawValue)
        writer.put(next.map { UInt32(clamping: $0) } ?? .max)
        writer.put(UInt32(clamping: items.count))
        for item in items {
            writer.put(UInt32(clamping: item.index))
            switch item.content {
            case .directory(let bytes):
                writer.put(Form.directory.rawValue)
                writer.put(bytes: bytes)
            case .file(let size):
                writer.put(Form.file.rawValue)
                writer.put(size)
            }
        }
    }

    init(from reader: inout WireReader) throws(WireError) {
        directory = try reader.objectID()
        guard let wanted = AheadRange.Wanted(rawValue: try reader.uint8()) else { throw .invalid("kind of entries") }
        self.wanted = wanted
        let next = try reader.uint32()
        self.next = next == .max ? nil : Int(next)
        let count = Int(try reader.uint32())
        guard count <= AheadRange.longest else { throw .invalid("number of entries") }
        items = []
        for _ in 0..<count {
            let index = Int(try reader.uint32())
            switch Form(rawValue: try reader.uint8()) {
            case .directory: items.append(Item(index: index, content: .directory(try reader.lengthPrefixedBytes())))
            case .file: items.append(Item(index: index, content: .file(size: try reader.uint64())))
            case nil: throw .invalid("form of contents")
            }
        }
    }
}
