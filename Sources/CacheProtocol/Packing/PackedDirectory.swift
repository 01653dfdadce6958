import GitObjects
public import LinuxSystem

/// A directory as it is stored and sent: entries sorted by the bytes of their names, one lookup is one binary search.
///
///     header   16 bytes   "PDIR", u16 version = 1, u16 reserved, u32 count, u32 bytes of names
///     entries  56 each    u32 mode, u32 name offset, u16 name length, u8 id kind, u8 flags, u32 reserved, u64 size, 32 bytes id
///     names               each followed by a NUL, so that libfuse can take the pointer
///
/// All fields are little endian. The bytes are checked once, on the way in; afterwards access cannot fail.
public final class PackedDirectory: Sendable {
    static let headerSize = 16
    static let entrySize = 56
    static let magic: UInt32 = 0x5249_4450
    static let version: UInt16 = 1

    /// What is wrong with bytes that are no packed directory.
    public struct Malformed: Error, Hashable, Sendable {
        public let reason: String
    }

    /// Memory that lives and stays unchanged as long as this object.
    private final class Storage: @unchecked Sendable {
        // Sendable: nobody writes to the memory after `init`.
        let bytes: UnsafeRawBufferPointer
        private let mapping: SharedMemory?

        init(copying bytes: [UInt8]) {
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
            copy.copyBytes(from: bytes)
            self.bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<bytes.count])
            mapping = nil
        }

        init(mapping: consuming SharedMemory, size: Int) {
            bytes = UnsafeRawBufferPointer(start: mapping.base, count: size)
            self.mapping = consume mapping
        }

        deinit {
            if mapping == nil { bytes.deallocate() }
        }
    }

    private let storage: Storage
    /// Number of entries.
    public let count: Int

    /// Checks and keeps the bytes.
    public convenience init(_ bytes: [UInt8]) throws(Malformed) {
        try self.init(Storage(copying: bytes))
    }

    /// Checks and keeps the first `size` bytes of a memfd that is sealed against every change.
    public convenience init(received file: consuming OwnedFD, size: Int) throws(Malformed) {
        do throws(SystemError) {
            let memory = try SharedMemory(received: file, minimum: size, writable: false)
            try self.init(checked: Storage(mapping: memory, size: size))
        } catch {
            throw Malformed(reason: error.description)
        }
    }

    private convenience init(checked storage: Storage) throws(SystemError) {
        do throws(Malformed) {
            try self.init(storage)
        } catch {
            throw SystemError(.protocolError, "reading a packed directory", "", detail: error.reason)
        }
    }

    private init(_ storage: Storage) throws(Malformed) {
        count = try Self.validate(storage.bytes)
        self.storage = storage
    }

    private init(empty header: [UInt8]) {
        count = 0
        storage = Storage(copying: header)
    }

    /// The directory without entries.
    public static let empty = PackedDirectory(empty: Array("PDIR".utf8) + [1] + [UInt8](repeating: 0, count: 11))

    /// The packed form, for storing and sending. Valid inside `body` only.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(storage.bytes)
    }

    /// Bytes of the packed form.
    public var byteCount: Int {
        storage.bytes.count
    }

    /// The entry at `index`, which must be below `count`.
    public subscript(index: Int) -> PackedEntry {
        precondition(index >= 0 && index < count)
        let fields = Self.headerSize + index * Self.entrySize
        let bytes = storage.bytes
        let kind = ObjectID.Kind(rawValue: bytes[fields + 10])!
        let id = UnsafeRawBufferPointer(rebasing: bytes[fields + 24..<fields + 24 + kind.byteCount])
        return PackedEntry(
            mode: FileMode(rawValue: Self.uint32(bytes, fields))!,
            flags: PackedEntry.Flags(rawValue: bytes[fields + 11]),
            id: ObjectID(kind: kind, bytes: id)!,
            size: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: fields + 16, as: UInt64.self)))
    }

    /// The name's bytes at `index`; a NUL follows them. Valid as long as this object.
    public func name(at index: Int) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < count)
        return Self.name(storage.bytes, index, count)
    }

    /// The entries with their names, in order.
    public var items: [DirectoryPacker.Item] {
        (0..<count).map { DirectoryPacker.Item(name: Array(name(at: $0)), entry: self[$0]) }
    }

    /// The index of the entry with this name.
    public func index(of name: UnsafeRawBufferPointer) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            switch NameOrder.compare(Self.name(storage.bytes, middle, count), name) {
            case 0: return middle
            case ..<0: low = middle + 1
            default: high = middle
            }
        }
        return nil
    }

    public func index(of name: [UInt8]) -> Int? {
        name.withUnsafeBytes { index(of: $0) }
    }

    // MARK: Checking

    private static func validate(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> Int {
        guard bytes.count >= headerSize, uint32(bytes, 0) == magic else { throw Malformed(reason: "no header") }
        guard UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self)) == version else {
            throw Malformed(reason: "unknown version")
        }
        let count = Int(uint32(bytes, 8))
        let nameBytes = Int(uint32(bytes, 12))
        guard bytes.count == headerSize + count * entrySize + nameBytes else { throw Malformed(reason: "wrong length") }
        var previous: UnsafeRawBufferPointer?
        for index in 0..<count {
            let fields = headerSize + index * entrySize
            guard FileMode(rawValue: uint32(bytes, fields)) != nil, ObjectID.Kind(rawValue: bytes[fields + 10]) != nil
            else { throw Malformed(reason: "entry \(index) has an unknown mode or id") }
            let offset = Int(uint32(bytes, fields + 4))
            let length = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: fields + 8, as: UInt16.self)))
            let start = headerSize + count * entrySize + offset
            guard start + length < bytes.count, bytes[start + length] == 0 else {
                throw Malformed(reason: "entry \(index) has its name out of bounds")
            }
            let name = UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
            guard EntryName.check(name) == nil else { throw Malformed(reason: "entry \(index) has a forbidden name") }
            if let previous, NameOrder.compare(previous, name) >= 0 {
                throw Malformed(reason: "entry \(index) is out of order")
            }
            previous = name
        }
        return count
    }

    private static func name(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ count: Int) -> UnsafeRawBufferPointer {
        let fields = headerSize + index * entrySize
        let start = headerSize + count * entrySize + Int(uint32(bytes, fields + 4))
        let length = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: fields + 8, as: UInt16.self)))
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
    }

    private static func uint32(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
