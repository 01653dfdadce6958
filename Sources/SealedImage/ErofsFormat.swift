/// Numbers of EROFS's on-disk format (Linux, fs/erofs/erofs_fs.h). All fields are little endian.
///
/// Only what every kernel since 6.6 reads: 4 KB blocks, metadata from block 0, no compression, no 48-bit addresses.
enum ErofsFormat {
    static let blockBits = 12
    static let blockSize = 1 << blockBits
    static let superblockOffset = 1024
    static let superblockSize = 128
    static let magic: UInt32 = 0xE0F5_E1E2
    /// Inodes without a time of their own have the image's.
    static let compatMtime: UInt32 = 2
    /// The header of a file's attributes says which names it has not; older kernels ignore it.
    static let compatXattrFilter: UInt32 = 4
    static let incompatChunkedFile: UInt32 = 4

    /// A node id is a byte offset divided by this.
    static let nodeUnit = 32
    static let compactInodeSize = 32
    static let extendedInodeSize = 64
    static let noBlock: UInt32 = 0xffff_ffff
    /// An address outside every image. A mount that ignores the redirect fails to read, where the format's own "hole" (all ones) would
    /// read as zeros without an error.
    static let poisonBlock: UInt32 = 0xffff_fff0
    /// One chunk of 2^(12+31) bytes: each file has one block address.
    static let wholeFileChunk: UInt32 = 31

    enum DataLayout: UInt16 {
        case flatPlain = 0
        case flatInline = 2
        case chunked = 4
    }

    static let direntSize = 12

    /// `file_type` of a directory entry (fs_types.h).
    enum EntryType: UInt8 {
        case regular = 1
        case directory = 2
        case symlink = 7
    }

    static let xattrHeaderSize = 12
    static let xattrEntryHeaderSize = 4
    /// `EROFS_XATTR_INDEX_TRUSTED`: names are stored without "trusted.".
    static let trustedIndex: UInt8 = 4
    static let metacopyName = Array("overlay.metacopy".utf8)
    static let redirectName = Array("overlay.redirect".utf8)
    /// `EROFS_XATTR_FILTER_SEED`.
    static let xattrFilterSeed: UInt32 = 0x25BB_E08F

    /// Where the one shared attribute, an empty overlay.metacopy, stands: right after the superblock.
    static let sharedXattrOffset = superblockOffset + superblockSize
    static let sharedXattrSize = xattrEntryHeaderSize + metacopyName.count
}
