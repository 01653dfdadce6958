import CacheProtocol
import GitObjects

/// Where everything in the image stands.
///
/// Directories come depth first, each followed by the inodes of its files, so that a walk reads the image from front to back. After all
/// inodes come the blocks of the directories that do not fit beside theirs.
///
/// An image that is made from another one begins with that as it is. Behind it stand the directories that are not as they were, and of
/// their entries those that are not; all others are nodes of the beginning. Only the root keeps its place, since the superblock has no
/// room for a larger number.
struct ImageLayout {
    struct Directory {
        /// Nil for a submodule, which is an empty directory.
        var id: ObjectID?
        /// Index of the directory it is in; the root is in itself.
        var parent: Int
        /// It has another time than the image.
        var isChanged: Bool
        /// Its own place in `nodes`.
        var node: Int
        /// The place in `nodes` of its first entry; the others follow.
        var firstEntry: Int
        var subdirectories: Int
        /// Bytes of its listing.
        var size: Int
        /// Bytes of the listing that stand right after the inode; the rest is in whole blocks.
        var inlineBytes: Int
        /// The first of its whole blocks, counted from the first one of all directories.
        var firstBlock: Int
        var blocks: Int

        var links: Int {
            2 + subdirectories
        }
    }

    /// The node id of every path, by its number; entries of a directory are numbered one after another, in name order.
    private(set) var nodes: [UInt32] = [0]
    private(set) var directories: [Directory] = []
    /// The first block after all inodes.
    private(set) var dataBlock = 0
    private(set) var imageSize = 0
    /// Nodes before it are those of the image that this one is made from.
    let firstOwnNode: UInt32
    /// Directories of that image that are in another directory now: an index in `directories`.
    private(set) var moved: [(node: UInt32, parent: Int)] = []
    /// Some inodes have a time of their own, which would be wrong in an image made from this one.
    private(set) var hasOwnTimes = false
    /// Bytes for the root's inode in the image that this one is made from.
    private let rootRoom: Int?
    private var cursor = InodeSize.aligned(
        ErofsFormat.sharedXattrOffset + ErofsFormat.sharedXattrSize, to: ErofsFormat.nodeUnit)
    private var blockCount = 0

    /// A directory that was found and not visited.
    private struct Pending {
        let id: ObjectID?
        let parent: Int
        let node: Int
        let depth: Int
        let isChanged: Bool
        /// The directory in its place in the image that this one is made from.
        var former: (id: ObjectID, node: UInt32)?
    }

    /// A directory as it was in the image that this one is made from.
    private struct Former {
        let packed: PackedDirectory
        let nodes: [UInt32]
    }

    init(root: ObjectID, source: some TreeSource, madeFrom base: ImageBase? = nil) throws(SealedImageError) {
        rootRoom = try base?.rootRoom()
        firstOwnNode = base?.firstFreeNode ?? 0
        var pending = [Pending(id: root, parent: 0, node: 0, depth: 0, isChanged: root.kind == .changed)]
        if let base {
            nodes = [base.rootNode]
            cursor = base.bytes.count
            pending[0].former = (base.root, base.rootNode)
        }
        while let next = pending.popLast() {
            let packed = try next.id.map { (id) throws(SealedImageError) in try source.directory(id) } ?? .empty
            guard next.depth < SealedImage.maximumDepth else { throw .tooDeep }
            guard nodes.count + packed.count <= SealedImage.maximumNodes else { throw .tooLarge }
            if let base, nodes.count + packed.count > base.nodeCount / 4 + SealedImage.smallChange {
                throw .tooDifferent
            }
            if next.node == 0, packed.index(of: Array(SealedImage.objectPrefix.utf8)) != nil { throw .reservedName }
            let children = try visit(next, packed, try Self.former(of: next, base, source))
            pending += children.reversed()
        }
        dataBlock = (cursor + ErofsFormat.blockSize - 1) / ErofsFormat.blockSize
        imageSize = (dataBlock + blockCount) * ErofsFormat.blockSize
    }

    private static func former(
        of visited: Pending, _ base: ImageBase?, _ source: some TreeSource
    ) throws(SealedImageError) -> Former? {
        guard let base, let (id, node) = visited.former else { return nil }
        let former = Former(packed: try source.directory(id), nodes: try base.children(of: node))
        guard former.nodes.count == former.packed.count else { throw .malformedBase }
        return former
    }

    private mutating func visit(
        _ visited: Pending, _ packed: PackedDirectory, _ former: Former?
    ) throws(SealedImageError) -> [Pending] {
        let firstEntry = nodes.count
        let index = directories.count
        var children: [Pending] = []
        var subdirectories = 0
        nodes.append(contentsOf: repeatElement(0, count: packed.count))
        for place in 0..<packed.count {
            let entry = packed[place]
            guard entry.isComplete else { throw .incomplete(directory: visited.id ?? entry.id) }
            let isDirectory = entry.mode == .directory || entry.mode == .submodule
            if isDirectory { subdirectories += 1 }
            let known = former?.packed.index(of: packed.name(at: place))
            if let former, let known, former.packed[known] == entry {
                nodes[firstEntry + place] = former.nodes[known]
                if isDirectory, visited.node != 0 { moved.append((former.nodes[known], index)) }
                continue
            }
            guard isDirectory else { continue }
            var child = Pending(
                id: entry.mode == .directory ? entry.id : nil, parent: index, node: firstEntry + place,
                depth: visited.depth + 1, isChanged: entry.flags.contains(.changed))
            if let former, let known, entry.mode == .directory, former.packed[known].mode == .directory {
                child.former = (former.packed[known].id, former.nodes[known])
            }
            children.append(child)
        }

        var directory = Directory(
            id: visited.id, parent: visited.parent, isChanged: visited.isChanged, node: visited.node,
            firstEntry: firstEntry,
            subdirectories: subdirectories, size: DirectoryEntries(packed).size, inlineBytes: 0, firstBlock: blockCount,
            blocks: 0)
        let inode = InodeSize.inode(
            size: UInt64(directory.size), links: directory.links, ownTime: directory.isChanged)
        if directory.isChanged || inode > ErofsFormat.compactInodeSize { hasOwnTimes = true }
        directory.inlineBytes = directory.size % ErofsFormat.blockSize
        if visited.node == 0, rootRoom != nil { directory.inlineBytes = 0 }
        if inode + directory.inlineBytes > ErofsFormat.blockSize { directory.inlineBytes = 0 }
        directory.blocks =
            (directory.size - directory.inlineBytes + ErofsFormat.blockSize - 1) / ErofsFormat.blockSize
        blockCount += directory.blocks

        // An inode and what stands inline after it must lie in one block: files fill the rest of the block first.
        let needed = inode + directory.inlineBytes
        var leaf = 0
        while cursor % ErofsFormat.blockSize + needed > ErofsFormat.blockSize, leaf < packed.count {
            try placeLeaf(packed[leaf], at: firstEntry + leaf)
            leaf += 1
        }
        if visited.node == 0, let rootRoom {
            guard inode <= rootRoom else { throw .tooDifferent }
        } else {
            nodes[visited.node] = nodeID(take(needed, within: true))
        }
        for place in leaf..<packed.count { try placeLeaf(packed[place], at: firstEntry + place) }
        directories.append(directory)
        return children
    }

    private mutating func placeLeaf(_ entry: PackedEntry, at node: Int) throws(SealedImageError) {
        if entry.mode == .directory || entry.mode == .submodule || nodes[node] != 0 { return }
        let size = InodeSize.leaf(entry)
        if InodeSize.isExtended(size: entry.size, links: 1, ownTime: entry.flags.contains(.changed)) {
            hasOwnTimes = true
        }
        let isLink = entry.mode == .symlink
        if isLink, entry.size == 0 || size > ErofsFormat.blockSize { throw .link(entry.id) }
        nodes[node] = nodeID(take(size, within: isLink))
    }

    /// The offset of the next free place for `size` bytes; `within` one block if they must not be parted.
    private mutating func take(_ size: Int, within: Bool) -> Int {
        if within, cursor % ErofsFormat.blockSize + size > ErofsFormat.blockSize {
            cursor = InodeSize.aligned(cursor, to: ErofsFormat.blockSize)
        }
        defer { cursor = InodeSize.aligned(cursor + size, to: ErofsFormat.nodeUnit) }
        return cursor
    }

    private func nodeID(_ offset: Int) -> UInt32 {
        UInt32(offset / ErofsFormat.nodeUnit)
    }
}
