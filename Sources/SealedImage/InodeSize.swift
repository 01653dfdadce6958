import CacheProtocol
import GitObjects

/// Bytes that inodes take.
enum InodeSize {
    /// Compact inodes have 32-bit sizes, 16-bit link counts and the time of the image.
    static func inode(size: UInt64, links: Int, ownTime: Bool) -> Int {
        isExtended(size: size, links: links, ownTime: ownTime)
            ? ErofsFormat.extendedInodeSize : ErofsFormat.compactInodeSize
    }

    static func isExtended(size: UInt64, links: Int, ownTime: Bool) -> Bool {
        ownTime || size > UInt64(UInt32.max) || links > Int(UInt16.max)
    }

    /// The path that a file's data is redirected to: "/prefix/ab/cdef…".
    static func redirectLength(_ id: ObjectID) -> Int {
        1 + SealedImage.objectPrefix.utf8.count + 1 + 2 * id.byteCount + 1
            + ObjectFileName.suffix(of: id.kind).utf8.count
    }

    /// The attributes of a file with contents: header, one shared id, the redirect.
    static func xattrs(_ id: ObjectID) -> Int {
        let entry = ErofsFormat.xattrEntryHeaderSize + ErofsFormat.redirectName.count + redirectLength(id)
        return ErofsFormat.xattrHeaderSize + 4 + aligned(entry, to: 4)
    }

    /// All of what stands at the node of an entry that is no directory.
    static func leaf(_ entry: PackedEntry) -> Int {
        let inode = inode(size: entry.size, links: 1, ownTime: entry.flags.contains(.changed))
        return switch entry.mode {
        case .symlink: inode + Int(entry.size)
        case .regular, .executable: entry.size == 0 ? inode : inode + xattrs(entry.id) + 4
        case .directory, .submodule: inode
        }
    }

    static func aligned(_ value: Int, to unit: Int) -> Int {
        (value + unit - 1) / unit * unit
    }
}
