import Glibc

/// What can be saved of a damaged index: every value whose checksum is right, wherever it lies.
///
/// The checksum covers table and key, so the tree that led to a value is not needed. Values that were replaced or deleted may be found
/// again; nothing wrong follows from one, since all of them are facts about content, and what is said to be here is looked at
/// when it is opened.
struct IndexSalvage {
    private let file: IndexFile
    private var page: UInt64 = 2

    struct Entry: Sendable {
        var table: IndexTable
        var key: [UInt8]
        var value: [UInt8]
    }

    /// What may be restored: the rest is counted anew.
    private static let tables: [IndexTable] = [.paths, .snapshots, .trees, .blobs, .refs]

    /// Nil if there is nothing.
    init?(_ path: String) throws(IndexDamage) {
        guard let file = try IndexFile.open(path) else { return nil }
        self.file = file
    }

    /// The intact entries of the next pages; nil at the end.
    mutating func next() throws(IndexDamage) -> [Entry]? {
        guard page < file.pageCount else { return nil }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: file.pageSize, alignment: 16)
        defer { buffer.deallocate() }
        var entries: [Entry] = []
        while page < file.pageCount, entries.count < 1024 {
            let number = page
            page += 1
            guard try file.read(number, buffer) else { continue }
            let found = IndexPage(UnsafeRawBufferPointer(buffer))
            guard found.flags == IndexPage.leaf, let count = found.nodeCount else { continue }
            for index in 0..<count {
                guard let node = found.node(index) else { continue }
                switch node.content {
                case .value(let value):
                    if let entry = Self.entry(node.key, value) { entries.append(entry) }
                case .overflow(let place, let size):
                    guard let value = try file.overflowValue(place, size: size) else { continue }
                    if let entry = value.withUnsafeBytes({ Self.entry(node.key, $0) }) { entries.append(entry) }
                case .child, .table:
                    break
                }
            }
        }
        return entries
    }

    private static func entry(_ key: UnsafeRawBufferPointer, _ stored: UnsafeRawBufferPointer) -> Entry? {
        for table in tables {
            if let value = Checksum.open(stored, seed: Checksum.seed(table, key)) {
                return Entry(table: table, key: Array(key), value: Array(value))
            }
        }
        return nil
    }
}
