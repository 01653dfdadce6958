import Glibc
import LinuxSystem

/// Checks the structure of an index before LMDB is let at it: every page that can be reached is in the file, is what it is taken for
/// and is reached once; keys are in order; the lists of free pages name no page in use; counts are right.
///
/// Values are not looked at: each carries its checksum and is checked whenever it is read.
struct IndexAudit {
    private let file: IndexFile
    /// Pages that are accounted for.
    private var seen: [UInt64]
    private var highest: UInt64 = 1
    private let last: UInt64

    /// - Parameter path: the file; none, or an empty one, is in order.
    static func check(_ path: String) throws(IndexDamage) {
        guard let file = try IndexFile.open(path) else { return }
        guard file.pageCount >= 2 else { throw IndexDamage("the file is shorter than its two first pages") }
        let meta = try Meta.current(in: file)
        var audit = try IndexAudit(file, meta)
        try audit.check(meta)
    }

    private init(_ file: IndexFile, _ meta: Meta) throws(IndexDamage) {
        // LMDB maps up to here, and pages that were never written may lie behind the end of the file, but not many.
        guard meta.lastPage >= 1, meta.lastPage < file.pageCount + 4096,
            meta.lastPage < UInt64(IndexEnvironment.mapSize / file.pageSize)
        else { throw IndexDamage("page \(meta.lastPage) is said to be the last, of \(file.pageCount)") }
        last = meta.lastPage
        seen = [UInt64](repeating: 0, count: Int(meta.lastPage / 64 + 1))
        self.file = file
    }

    private mutating func check(_ meta: Meta) throws(IndexDamage) {
        try mark(0, count: 2)
        try check(meta.free, .freePages)
        try check(meta.main, .tables)
    }

    private mutating func mark(_ page: UInt64, count: Int) throws(IndexDamage) {
        guard page <= last, UInt64(count) <= last - page + 1 else {
            throw IndexDamage("page \(page) is behind the last one")
        }
        for number in page..<page + UInt64(count) {
            let (word, bit) = (Int(number / 64), UInt64(1) << (number % 64))
            guard seen[word] & bit == 0 else { throw IndexDamage("page \(number) is used twice") }
            seen[word] |= bit
        }
    }

    // MARK: Trees

    private enum Kind {
        case freePages, tables, values
    }

    /// What a tree was found to have.
    private struct Found {
        var branches: UInt64 = 0
        var leaves: UInt64 = 0
        var overflows: UInt64 = 0
        var entries: UInt64 = 0
        var lastKey: [UInt8]?
        /// What the branches above promised of the next key.
        var atLeast: [UInt8]?
        /// Of the leaf that was reached last.
        var depth = 0
        var tables: [Tree] = []
    }

    private mutating func check(_ tree: Tree, _ kind: Kind) throws(IndexDamage) {
        guard tree.flags == (kind == .freePages ? Tree.integerKeys : 0) else {
            throw IndexDamage("a table has flags \(tree.flags)")
        }
        var found = Found()
        if tree.root != Tree.none { try visit(tree.root, depth: 1, kind, below: nil, &found) }
        guard found.branches == tree.branches, found.leaves == tree.leaves, found.overflows == tree.overflows,
            found.entries == tree.entries, tree.root == Tree.none || found.depth == tree.depth
        else { throw IndexDamage("a table has other pages or entries than it says") }
        for table in found.tables { try check(table, .values) }
    }

    private mutating func visit(
        _ number: UInt64, depth: Int, _ kind: Kind, below: [UInt8]?, _ found: inout Found
    ) throws(IndexDamage) {
        guard depth <= 32 else { throw IndexDamage("a table is too deep") }
        try mark(number, count: 1)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: file.pageSize, alignment: 16)
        defer { buffer.deallocate() }
        guard try file.read(number, buffer) else { throw IndexDamage("page \(number) is not in the file") }
        let page = IndexPage(UnsafeRawBufferPointer(buffer))
        guard page.number == number, let count = page.nodeCount else {
            throw IndexDamage("page \(number) is not what it is taken for")
        }
        guard page.isPacked else { throw IndexDamage("page \(number) has a broken entry") }
        switch page.flags {
        case IndexPage.branch:
            found.branches += 1
            guard count >= (kind == .freePages ? 1 : 2) else {
                throw IndexDamage("page \(number) has \(count) children")
            }
            try visit(children: count, of: page, depth, kind, below, &found)
        case IndexPage.leaf:
            found.leaves += 1
            if found.depth != 0 && found.depth != depth { throw IndexDamage("page \(number) is at another depth") }
            found.depth = depth
            guard count >= (kind == .freePages ? 0 : 1) else { throw IndexDamage("page \(number) is empty") }
            for index in 0..<count {
                guard let node = page.node(index) else { throw IndexDamage("page \(number) has a broken entry") }
                try check(node, kind, below, &found)
            }
        case let flags:
            throw IndexDamage("page \(number) is of kind \(flags)")
        }
    }

    private mutating func visit(
        children count: Int, of page: IndexPage, _ depth: Int, _ kind: Kind, _ below: [UInt8]?, _ found: inout Found
    ) throws(IndexDamage) {
        for index in 0..<count {
            guard let node = page.node(index), case .child(let child) = node.content else {
                throw IndexDamage("page \(page.number) has a broken entry")
            }
            // The first key of a branch stands for everything that is smaller.
            if index > 0 {
                let key = Array(node.key)
                guard found.lastKey.map({ Self.isBefore($0, key, kind) }) ?? true,
                    below.map({ Self.isBefore(key, $0, kind) }) ?? true
                else { throw IndexDamage("the keys of page \(page.number) are out of order") }
                found.atLeast = key
            }
            var bound = below
            if index + 1 < count {
                guard let next = page.node(index + 1) else {
                    throw IndexDamage("page \(page.number) has a broken entry")
                }
                bound = Array(next.key)
            }
            try visit(child, depth: depth + 1, kind, below: bound, &found)
        }
    }

    private mutating func check(
        _ node: IndexPage.Node, _ kind: Kind, _ below: [UInt8]?, _ found: inout Found
    ) throws(IndexDamage) {
        found.entries += 1
        let key = Array(node.key)
        if kind == .freePages && key.count != 8 { throw IndexDamage("a list of free pages has no number") }
        if let last = found.lastKey, !Self.isBefore(last, key, kind) { throw IndexDamage("keys are out of order") }
        if let below, !Self.isBefore(key, below, kind) { throw IndexDamage("keys are out of order") }
        if let least = found.atLeast, Self.isBefore(key, least, kind) { throw IndexDamage("keys are out of order") }
        found.atLeast = nil
        found.lastKey = key
        switch (node.content, kind) {
        case (.value(let value), .freePages):
            try check(freePages: Array(value))
        case (.overflow(let page, let size), .freePages):
            try markOverflow(page, size, &found)
            guard let value = try file.overflowValue(page, size: size) else {
                throw IndexDamage("the list of free pages at page \(page) cannot be read")
            }
            try check(freePages: value)
        case (.table(let description), .tables):
            guard let tree = Tree(description) else { throw IndexDamage("a table has no description") }
            found.tables.append(tree)
        case (.value, .values):
            break
        case (.overflow(let page, let size), .values):
            try markOverflow(page, size, &found)
        default:
            throw IndexDamage("an entry is of the wrong kind")
        }
    }

    private mutating func markOverflow(_ page: UInt64, _ size: Int, _ found: inout Found) throws(IndexDamage) {
        let needed = IndexFile.overflowPages(size, file.pageSize)
        var header: (UInt64, UInt64) = (0, 0)
        let read = withUnsafeMutableBytes(of: &header) { [file] buffer in
            Result { () throws(IndexDamage) in
                try file.read(page, buffer)
                    ? IndexPage(UnsafeRawBufferPointer(buffer)).overflowPages(page, needed: needed) : nil
            }
        }
        guard let pages = try read.get(), page + UInt64(needed) <= file.pageCount else {
            throw IndexDamage("the value at page \(page) is not there")
        }
        try mark(page, count: pages)
        found.overflows += UInt64(pages)
    }

    /// A count, then that many page numbers, the largest first (MDB_IDL).
    private mutating func check(freePages list: [UInt8]) throws(IndexDamage) {
        let words = list.withUnsafeBytes { bytes in
            (0..<bytes.count / 8).map {
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
            }
        }
        guard list.count % 8 == 0, let count = words.first, count <= UInt64(words.count - 1) else {
            throw IndexDamage("a list of free pages has no end")
        }
        var before = UInt64.max
        for page in words[1...Int(count)] {
            guard page < before else { throw IndexDamage("a list of free pages is out of order") }
            before = page
            try mark(page, count: 1)
        }
    }

    private static func isBefore(_ left: [UInt8], _ right: [UInt8], _ kind: Kind) -> Bool {
        if kind == .freePages, left.count == 8, right.count == 8 {
            return left.reversed().lexicographicallyPrecedes(right.reversed())
        }
        return left.lexicographicallyPrecedes(right)
    }
}

/// The description of a tree (MDB_db).
private struct Tree {
    static let size = 48
    static let none = UInt64.max
    static let integerKeys: UInt16 = 0x08

    var pad: UInt32
    var flags: UInt16
    var depth: Int
    var branches: UInt64
    var leaves: UInt64
    var overflows: UInt64
    var entries: UInt64
    var root: UInt64

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.size else { return nil }
        func word(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        pad = UInt32(truncatingIfNeeded: word(0))
        flags = UInt16(truncatingIfNeeded: word(0) >> 32)
        depth = Int(word(0) >> 48)
        branches = word(8)
        leaves = word(16)
        overflows = word(24)
        entries = word(32)
        root = word(40)
    }
}

/// One of the two first pages (MDB_meta): where everything begins.
private struct Meta {
    private static let magic: UInt32 = 0xBEEF_C0DE
    private static let version: UInt32 = 1

    var free: Tree
    var main: Tree
    var lastPage: UInt64
    var transaction: UInt64

    /// The one LMDB will use (mdb_env_pick_meta).
    static func current(in file: IndexFile) throws(IndexDamage) -> Meta {
        let first = try Meta(0, file)
        let second = try Meta(1, file)
        return first.transaction < second.transaction ? second : first
    }

    private init(_ number: UInt64, _ file: IndexFile) throws(IndexDamage) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: file.pageSize, alignment: 16)
        defer { buffer.deallocate() }
        guard try file.read(number, buffer) else { throw IndexDamage("page \(number) cannot be read") }
        let page = IndexPage(UnsafeRawBufferPointer(buffer))
        let body = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[IndexFile.headerSize...])
        func word(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: body.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        guard page.number == number, page.flags == IndexPage.meta, UInt32(truncatingIfNeeded: word(0)) == Self.magic,
            UInt32(truncatingIfNeeded: word(0) >> 32) == Self.version,
            let free = Tree(UnsafeRawBufferPointer(rebasing: body[24..<72])),
            let main = Tree(UnsafeRawBufferPointer(rebasing: body[72..<120])), free.pad == UInt32(file.pageSize)
        else { throw IndexDamage("page \(number) is not the begin of an index") }
        self.free = free
        self.main = main
        lastPage = word(120)
        transaction = word(128)
    }
}
