import GitObjects

/// A finished image, as the beginning of one that is made from it: where its directories and their entries stand.
///
/// Its bytes were found to be what was written; the bounds are checked all the same.
struct ImageBase {
    let bytes: UnsafeRawBufferPointer
    /// The tree that it shows.
    let root: ObjectID
    let rootNode: UInt32
    let nodeCount: Int

    private struct Listing {
        /// Offset and length of each block, the last one perhaps inline.
        var parts: [(offset: Int, length: Int)]
        /// Bytes from the inode's beginning to the end of what stands inline.
        var footprint: Int
    }

    init(_ bytes: UnsafeRawBufferPointer, root: ObjectID) throws(SealedImageError) {
        self.bytes = bytes
        self.root = root
        let at = ErofsFormat.superblockOffset
        guard bytes.count >= ErofsFormat.blockSize, bytes.count % ErofsFormat.blockSize == 0,
            Self.integer(bytes, at) as UInt32 == ErofsFormat.magic,
            Int(Self.integer(bytes, at + 36) as UInt32) == bytes.count / ErofsFormat.blockSize
        else { throw .malformedBase }
        rootNode = UInt32(Self.integer(bytes, at + 14) as UInt16)
        nodeCount = Int(truncatingIfNeeded: Self.integer(bytes, at + 16) as UInt64)
    }

    /// The first node id behind the image.
    var firstFreeNode: UInt32 {
        UInt32(bytes.count / ErofsFormat.nodeUnit)
    }

    /// Bytes that an inode in the place of the root's may take.
    func rootRoom() throws(SealedImageError) -> Int {
        InodeSize.aligned(try listing(of: rootNode).footprint, to: ErofsFormat.nodeUnit)
    }

    /// The nodes of a directory's entries, in name order.
    func children(of node: UInt32) throws(SealedImageError) -> [UInt32] {
        var children: [UInt32] = []
        try visit(node) { offset, name in
            if !Self.isSelf(name), !Self.isParent(name) { children.append(Self.integer(bytes, offset)) }
        }
        guard children.allSatisfy({ $0 > 0 && $0 < firstFreeNode }) else { throw .malformedBase }
        return children
    }

    /// Where a directory says which one it is in.
    func parentReference(of node: UInt32) throws(SealedImageError) -> Int {
        var found: Int?
        try visit(node) { offset, name in
            if Self.isParent(name) { found = offset }
        }
        guard let found else { throw .malformedBase }
        return found
    }

    private static func isSelf(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count == 1 && name[0] == 0x2e
    }

    private static func isParent(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count == 2 && name[0] == 0x2e && name[1] == 0x2e
    }

    /// Calls `body` with the offset and the name of each entry.
    private func visit(_ node: UInt32, _ body: (Int, UnsafeRawBufferPointer) -> Void) throws(SealedImageError) {
        for (offset, length) in try listing(of: node).parts {
            let part = try slice(offset, length)
            guard length >= ErofsFormat.direntSize else { throw .malformedBase }
            let names = Int(Self.integer(part, 8) as UInt16)
            let count = names / ErofsFormat.direntSize
            guard count > 0, names % ErofsFormat.direntSize == 0, names <= length else { throw .malformedBase }
            for index in 0..<count {
                let dirent = index * ErofsFormat.direntSize
                let begin = Int(Self.integer(part, dirent + 8) as UInt16)
                var end = length
                if index + 1 < count { end = Int(Self.integer(part, dirent + ErofsFormat.direntSize + 8) as UInt16) }
                guard begin < end, end <= length else { throw .malformedBase }
                // The last name of a block ends at a NUL, or with the block.
                let name = part[begin..<end].prefix { $0 != 0 }
                body(offset + dirent, UnsafeRawBufferPointer(rebasing: name))
            }
        }
    }

    private func listing(of node: UInt32) throws(SealedImageError) -> Listing {
        let at = Int(node) * ErofsFormat.nodeUnit
        let inode = try slice(at, ErofsFormat.compactInodeSize)
        let format: UInt16 = Self.integer(inode, 0)
        let isExtended = format & 1 == 1
        let header = isExtended ? ErofsFormat.extendedInodeSize : ErofsFormat.compactInodeSize
        let mode: UInt16 = Self.integer(inode, 4)
        guard mode & 0o170000 == 0o040000, Self.integer(inode, 2) as UInt16 == 0,
            let layout = ErofsFormat.DataLayout(rawValue: format >> 1 & 7), layout != .chunked
        else { throw .malformedBase }
        let size =
            isExtended
            ? Int(truncatingIfNeeded: Self.integer(inode, 8) as UInt64) : Int(Self.integer(inode, 8) as UInt32)
        guard size > 0, size <= bytes.count else { throw .malformedBase }
        let inline = layout == .flatInline ? size % ErofsFormat.blockSize : 0
        let first = Int(Self.integer(inode, 16) as UInt32)
        var parts: [(offset: Int, length: Int)] = []
        var rest = size - inline
        while rest > 0 {
            let length = min(rest, ErofsFormat.blockSize)
            parts.append(((first + parts.count) * ErofsFormat.blockSize, length))
            rest -= length
        }
        if inline > 0 { parts.append((at + header, inline)) }
        return Listing(parts: parts, footprint: header + inline)
    }

    private func slice(_ offset: Int, _ length: Int) throws(SealedImageError) -> UnsafeRawBufferPointer {
        guard offset >= 0, offset <= bytes.count, length <= bytes.count - offset else { throw .malformedBase }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    }

    private static func integer<Value: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Value {
        Value(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: Value.self))
    }
}
