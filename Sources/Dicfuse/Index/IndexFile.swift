import Glibc
import LinuxSystem

/// Why an index file cannot be given to LMDB.
struct IndexDamage: Error, Hashable, Sendable, CustomStringConvertible {
    let description: String
    /// It could not be looked at, which says nothing about it.
    let isFailure: Bool

    init(_ description: String, isFailure: Bool = false) {
        self.description = description
        self.isFailure = isFailure
    }
}

/// An LMDB file as it lies on the disk (data version 1, 64 bits), read page by page and without trust in anything it says.
///
/// The layout is that of mdb.c of LMDB 0.9 (MDB_page, MDB_node, MDB_meta, MDB_db). Its pages carry no checksums, and LMDB follows the
/// numbers in them unchecked: this is what stands between a damaged disk and a crash.
struct IndexFile: Sendable {
    let file: SharedFD
    let pageSize: Int
    /// Whole pages in the file.
    let pageCount: UInt64

    static let headerSize = 16

    private init(_ file: SharedFD, size: UInt64) {
        self.file = file
        pageSize = sysconf(Int32(_SC_PAGESIZE))
        pageCount = size / UInt64(pageSize)
    }

    /// Nil if there is no file or an empty one, which LMDB makes a new index of.
    static func open(_ path: String) throws(IndexDamage) -> IndexFile? {
        let opened = Result { () throws(SystemError) in
            let file = SharedFD(try File.open(path, O_RDONLY | O_NOFOLLOW))
            return (file, try File.size(of: file.raw))
        }
        switch opened {
        case .success((_, 0)):
            return nil
        case .success((let file, let size)):
            return IndexFile(file, size: size)
        case .failure(let error):
            if error.errno == .notFound { return nil }
            throw IndexDamage(error.description, isFailure: true)
        }
    }

    /// Reads into `buffer` from the begin of a page; false if the file has not so much.
    func read(_ page: UInt64, _ buffer: UnsafeMutableRawBufferPointer) throws(IndexDamage) -> Bool {
        guard page < pageCount else { return false }
        do throws(SystemError) {
            return try File.read(file.raw, into: buffer, at: Int64(page) * Int64(pageSize)) == buffer.count
        } catch {
            // A sector that the disk does not give is damage like any other.
            if error.errno == .ioError || error.errno == .needsCleaning { return false }
            throw IndexDamage(error.description, isFailure: true)
        }
    }

    /// The value of a node that lies on pages of its own; nil if they are not what the node says.
    func overflowValue(_ page: UInt64, size: Int) throws(IndexDamage) -> [UInt8]? {
        let pages = Self.overflowPages(size, pageSize)
        guard page < pageCount, UInt64(pages) <= pageCount - page else { return nil }
        var bytes = [UInt8](repeating: 0, count: Self.headerSize + size)
        let isRead = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(IndexDamage) in try read(page, buffer) }
        }
        guard try isRead.get() else { return nil }
        let found = bytes.withUnsafeBytes { IndexPage($0).overflowPages(page, needed: pages) }
        return found != nil ? Array(bytes[Self.headerSize...]) : nil
    }

    static func overflowPages(_ size: Int, _ pageSize: Int) -> Int {
        (headerSize + size + pageSize - 1) / pageSize
    }
}

/// One page. Every access is checked; what does not fit is nil.
struct IndexPage {
    private let bytes: UnsafeRawBufferPointer

    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    static let meta: UInt16 = 0x08

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private func load<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
        Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }

    var number: UInt64 { load(0, as: UInt64.self) }
    var flags: UInt16 { load(10, as: UInt16.self) }
    private var lower: Int { Int(load(12, as: UInt16.self)) }
    private var upper: Int { Int(load(14, as: UInt16.self)) }

    /// How many pages belong to the value that begins here: at least `needed`, since LMDB puts a shorter value where a longer one was.
    /// Nil if none does.
    func overflowPages(_ number: UInt64, needed: Int) -> Int? {
        let pages = Int(load(12, as: UInt32.self))
        return self.number == number && flags == Self.overflow && pages >= needed ? pages : nil
    }

    /// Nil if the page has no table of nodes that fits.
    var nodeCount: Int? {
        guard lower >= IndexFile.headerSize, lower <= upper, upper <= bytes.count, lower % 2 == 0 else { return nil }
        return (lower - IndexFile.headerSize) / 2
    }

    /// Whether the nodes lie one beside the other from `upper` to the end, as LMDB keeps them: it moves bytes by the lengths they
    /// say, so nodes that overlap would destroy others when one is replaced. False if a node is broken.
    var isPacked: Bool {
        guard let count = nodeCount else { return false }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(count)
        for index in 0..<count {
            guard let node = node(index) else { return false }
            ranges.append(node.range)
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        var position = upper
        for range in ranges {
            guard range.lowerBound == position else { return false }
            position = range.upperBound
        }
        return position == bytes.count
    }

    struct Node {
        /// Where it lies in the page.
        var range: Range<Int>

        enum Content {
            case child(UInt64)
            case value(UnsafeRawBufferPointer)
            /// The description of a table.
            case table(UnsafeRawBufferPointer)
            case overflow(UInt64, size: Int)
        }

        var key: UnsafeRawBufferPointer
        var content: Content
    }

    private static let nodeHeader = 8
    private static let isBig: UInt16 = 0x01
    private static let isTable: UInt16 = 0x02

    func node(_ index: Int) -> Node? {
        let offset = Int(load(IndexFile.headerSize + 2 * index, as: UInt16.self))
        guard offset >= upper, offset % 2 == 0, offset + Self.nodeHeader <= bytes.count else { return nil }
        let low = UInt64(load(offset, as: UInt16.self))
        let high = UInt64(load(offset + 2, as: UInt16.self))
        let flags = load(offset + 4, as: UInt16.self)
        let keySize = Int(load(offset + 6, as: UInt16.self))
        let keyOffset = offset + Self.nodeHeader
        guard keySize <= 511, keyOffset + keySize <= bytes.count else { return nil }
        let key = UnsafeRawBufferPointer(rebasing: bytes[keyOffset..<keyOffset + keySize])
        if self.flags & Self.branch != 0 {
            let content = Node.Content.child(low | high << 16 | UInt64(flags) << 32)
            return Node(range: Self.range(offset, keyOffset + keySize), key: key, content: content)
        }
        let size = Int(low | high << 16)
        let dataOffset = keyOffset + keySize
        if flags == Self.isBig {
            guard dataOffset + 8 <= bytes.count, size <= 1 << 31 else { return nil }
            let content = Node.Content.overflow(load(dataOffset, as: UInt64.self), size: size)
            return Node(range: Self.range(offset, dataOffset + 8), key: key, content: content)
        }
        guard dataOffset + size <= bytes.count else { return nil }
        let data = UnsafeRawBufferPointer(rebasing: bytes[dataOffset..<dataOffset + size])
        let range = Self.range(offset, dataOffset + size)
        switch flags {
        case 0: return Node(range: range, key: key, content: .value(data))
        case Self.isTable: return Node(range: range, key: key, content: .table(data))
        default: return nil
        }
    }

    /// Nodes have even lengths.
    private static func range(_ begin: Int, _ end: Int) -> Range<Int> {
        begin..<(end + end % 2)
    }
}
