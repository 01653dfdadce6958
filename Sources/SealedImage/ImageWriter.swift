import CacheProtocol
import GitObjects

/// Fills the memory of an image whose layout is known. The memory must be zero before.
struct ImageWriter {
    let layout: ImageLayout
    let image: UnsafeMutableRawBufferPointer
    /// Seconds after 1970.
    let time: Int64
    /// That of what a changelist has changed.
    let changeTime: Int64

    func write(_ source: some TreeSource) throws(SealedImageError) {
        writeSharedXattr()
        for directory in layout.directories {
            let packed = try directory.id.map { (id) throws(SealedImageError) in try source.directory(id) } ?? .empty
            write(directory, packed)
            for place in 0..<packed.count {
                try write(packed[place], node: layout.nodes[directory.firstEntry + place], source)
            }
        }
        // Last, so that an image that was not finished is none.
        writeSuperblock()
    }

    // MARK: Inodes

    private struct Inode {
        var layout: ErofsFormat.DataLayout
        var xattrBytes = 0
        var mode: UInt32
        var links = 1
        var size: UInt64
        /// Block address or chunk format.
        var data: UInt32
        var isChanged: Bool
    }

    /// Returns the offset after the inode.
    private func write(_ inode: Inode, node: UInt32) -> Int {
        let at = Int(node) * ErofsFormat.nodeUnit
        let isExtended = InodeSize.isExtended(size: inode.size, links: inode.links, ownTime: inode.isChanged)
        put16(at, inode.layout.rawValue << 1 | (isExtended ? 1 : 0))
        let xattrUnits = inode.xattrBytes == 0 ? 0 : (inode.xattrBytes - ErofsFormat.xattrHeaderSize) / 4 + 1
        put16(at + 2, UInt16(xattrUnits))
        put16(at + 4, UInt16(inode.mode))
        put32(at + 16, inode.data)
        put32(at + 20, node)
        if isExtended {
            put64(at + 8, inode.size)
            put64(at + 32, UInt64(bitPattern: inode.isChanged ? changeTime : time))
            put32(at + 44, UInt32(inode.links))
            return at + ErofsFormat.extendedInodeSize
        }
        put16(at + 6, UInt16(inode.links))
        put32(at + 8, UInt32(inode.size))
        return at + ErofsFormat.compactInodeSize
    }

    private func write(
        _ entry: PackedEntry, node: UInt32, _ source: some TreeSource
    ) throws(SealedImageError) {
        let isChanged = entry.flags.contains(.changed)
        switch entry.mode {
        case .directory, .submodule:
            break
        case .symlink:
            let target = try source.link(entry.id)
            guard target.count == entry.size, !target.contains(0) else { throw .link(entry.id) }
            let inode = Inode(
                layout: .flatInline, mode: 0o120777, size: entry.size, data: 0, isChanged: isChanged)
            put(write(inode, node: node), target)
        case .regular, .executable:
            let mode: UInt32 = entry.mode == .executable ? 0o100755 : 0o100644
            if entry.size == 0 {
                let inode = Inode(
                    layout: .flatPlain, mode: mode, size: 0, data: ErofsFormat.noBlock, isChanged: isChanged)
                _ = write(inode, node: node)
                return
            }
            let inode = Inode(
                layout: .chunked, xattrBytes: InodeSize.xattrs(entry.id), mode: mode, size: entry.size,
                data: ErofsFormat.wholeFileChunk, isChanged: isChanged)
            let xattrs = write(inode, node: node)
            writeXattrs(of: entry.id, at: xattrs)
            put32(xattrs + inode.xattrBytes, ErofsFormat.poisonBlock)
        }
    }

    private func writeXattrs(of id: ObjectID, at start: Int) {
        put32(start, XattrFilter.redirectedFile)
        put8(start + 4, 1)
        var at = start + ErofsFormat.xattrHeaderSize
        put32(at, UInt32(ErofsFormat.sharedXattrOffset / 4))
        at += 4
        put8(at, UInt8(ErofsFormat.redirectName.count))
        put8(at + 1, ErofsFormat.trustedIndex)
        put16(at + 2, UInt16(InodeSize.redirectLength(id)))
        at = put(at + ErofsFormat.xattrEntryHeaderSize, ErofsFormat.redirectName)
        put8(at, 0x2f)
        at = put(at + 1, Self.prefix)
        put8(at, 0x2f)
        at += 1
        id.withBytes { bytes in
            for (place, byte) in bytes.enumerated() {
                put8(at, Self.hexDigits[Int(byte >> 4)])
                put8(at + 1, Self.hexDigits[Int(byte & 15)])
                at += 2
                if place == 0 {
                    put8(at, 0x2f)
                    at += 1
                }
            }
        }
        _ = put(at, Array(ObjectFileName.suffix(of: id.kind).utf8))
    }

    private static let prefix = Array(SealedImage.objectPrefix.utf8)
    private static let hexDigits = Array("0123456789abcdef".utf8)

    // MARK: Directories

    private func write(_ directory: ImageLayout.Directory, _ packed: PackedDirectory) {
        let firstBlock = layout.dataBlock + directory.firstBlock
        let inode = Inode(
            layout: directory.inlineBytes > 0 ? .flatInline : .flatPlain, mode: 0o040755, links: directory.links,
            size: UInt64(directory.size), data: directory.blocks > 0 ? UInt32(firstBlock) : ErofsFormat.noBlock,
            isChanged: directory.isChanged)
        let inlineOffset = write(inode, node: layout.nodes[directory.node])

        let entries = DirectoryEntries(packed)
        var place = 0
        var block = 0
        while place < entries.count {
            let (end, _) = entries.block(from: place)
            let isInline = block == directory.blocks
            let offset = isInline ? inlineOffset : (firstBlock + block) * ErofsFormat.blockSize
            write(entries, place..<end, of: directory, at: offset)
            place = end
            block += 1
        }
    }

    private func write(
        _ entries: DirectoryEntries, _ places: Range<Int>, of directory: ImageLayout.Directory, at offset: Int
    ) {
        var dirent = offset
        var nameOffset = places.count * ErofsFormat.direntSize
        for place in places {
            let (node, type): (UInt32, ErofsFormat.EntryType)
            put16(dirent + 8, UInt16(nameOffset))
            switch entries[place] {
            case .itself:
                (node, type) = (layout.nodes[directory.node], .directory)
                nameOffset = put(offset + nameOffset, [0x2e]) - offset
            case .parent:
                (node, type) = (layout.nodes[layout.directories[directory.parent].node], .directory)
                nameOffset = put(offset + nameOffset, [0x2e, 0x2e]) - offset
            case .child(let index):
                node = layout.nodes[directory.firstEntry + index]
                type = Self.type(of: entries.packed[index].mode)
                let name = entries.packed.name(at: index)
                UnsafeMutableRawBufferPointer(rebasing: image[(offset + nameOffset)...]).copyMemory(from: name)
                nameOffset += name.count
            }
            put64(dirent, UInt64(node))
            put8(dirent + 10, type.rawValue)
            dirent += ErofsFormat.direntSize
        }
    }

    private static func type(of mode: FileMode) -> ErofsFormat.EntryType {
        switch mode {
        case .regular, .executable: .regular
        case .directory, .submodule: .directory
        case .symlink: .symlink
        }
    }

    // MARK: The image

    private func writeSharedXattr() {
        let at = ErofsFormat.sharedXattrOffset
        put8(at, UInt8(ErofsFormat.metacopyName.count))
        put8(at + 1, ErofsFormat.trustedIndex)
        put(at + ErofsFormat.xattrEntryHeaderSize, ErofsFormat.metacopyName)
    }

    private func writeSuperblock() {
        let at = ErofsFormat.superblockOffset
        put32(at, ErofsFormat.magic)
        put32(at + 8, ErofsFormat.compatMtime | ErofsFormat.compatXattrFilter)
        put8(at + 12, UInt8(ErofsFormat.blockBits))
        // The root is laid out first, so its id fits the 16 bits there are.
        put16(at + 14, UInt16(layout.nodes[0]))
        put64(at + 16, UInt64(layout.nodes.count))
        put64(at + 24, UInt64(bitPattern: time))
        put32(at + 36, UInt32(layout.imageSize / ErofsFormat.blockSize))
        put32(at + 80, ErofsFormat.incompatChunkedFile)
    }

    // MARK: Fields

    private func put8(_ at: Int, _ value: UInt8) {
        image.storeBytes(of: value, toByteOffset: at, as: UInt8.self)
    }

    private func put16(_ at: Int, _ value: UInt16) {
        image.storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt16.self)
    }

    private func put32(_ at: Int, _ value: UInt32) {
        image.storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt32.self)
    }

    private func put64(_ at: Int, _ value: UInt64) {
        image.storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt64.self)
    }

    /// Returns the offset after the bytes.
    @discardableResult
    private func put(_ at: Int, _ bytes: [UInt8]) -> Int {
        UnsafeMutableRawBufferPointer(rebasing: image[at...]).copyBytes(from: bytes)
        return at + bytes.count
    }
}
