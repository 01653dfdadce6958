import GitObjects
import LinuxSystem
import WorkerProtocol

/// Node ids as a function of the walk: a directory that is listed first gets the next block of ids, one for each entry.
///
/// The blocks are in the session memory and outlive the worker; what is here besides can be rebuilt from them.
struct NodeTable {
    /// Directories may be nested this deep. A path of PATH_MAX bytes has fewer components, so only a loop of trees gets there.
    static let maximumDepth = 4096

    enum Refusal: Error, Hashable, Sendable {
        /// The session memory has no room for another directory.
        case full
        /// Deeper than `maximumDepth`.
        case tooDeep
    }

    /// Where a node is: entry `index` of block `block`.
    struct Place: Hashable, Sendable {
        var block: DirectoryBlock
        var blockIndex: Int
        var index: Int
    }

    private let memory: SessionMemory
    private var blockOfDirectory: [UInt64: Int32] = [:]
    private var depths: [UInt16] = [0]
    /// The bases of all blocks, for the search.
    private var bases: [UInt64] = [DirectoryBlock.rootNode]
    private var nextNode: UInt64

    /// Reads the blocks that earlier workers made. EPROTO if they do not fit together.
    init(_ memory: SessionMemory) throws(SystemError) {
        self.memory = memory
        guard memory.blockCount > 0, memory.block(0).base == DirectoryBlock.rootNode, memory.block(0).count == 1 else {
            throw Self.inconsistent(0)
        }
        nextNode = DirectoryBlock.rootNode + 1
        for index in 1..<max(1, memory.blockCount) {
            let block = memory.block(index)
            guard block.base == nextNode, block.parent < block.base, blockOfDirectory[block.parent] == nil,
                let parent = place(of: block.parent)
            else { throw Self.inconsistent(index) }
            note(block, index, parent)
        }
    }

    private static func inconsistent(_ index: Int) -> SystemError {
        SystemError(.protocolError, "reading the node table", "block \(index)", detail: "it does not follow the others")
    }

    /// Listed directories.
    var count: Int {
        depths.count - 1
    }

    /// The highest node given out.
    var lastNode: UInt64 {
        nextNode - 1
    }

    /// Nil for a number that no node has.
    func place(of node: UInt64) -> Place? {
        // The last block that begins at or before the node: blocks without entries share their base with the next one.
        var low = 0
        var high = bases.count
        while low < high {
            let middle = (low + high) / 2
            if bases[middle] <= node { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let block = memory.block(low - 1)
        guard node - block.base < UInt64(block.count) else { return nil }
        return Place(block: block, blockIndex: low - 1, index: Int(node - block.base))
    }

    /// The block of a directory's entries, or nil if it has not been listed.
    func block(ofDirectory node: UInt64) -> DirectoryBlock? {
        blockOfDirectory[node].map { memory.block(Int($0)) }
    }

    /// The directory that holds `node`; the root is its own.
    func parent(of node: UInt64) -> UInt64? {
        place(of: node).map { $0.blockIndex == 0 ? DirectoryBlock.rootNode : $0.block.parent }
    }

    /// Gives node ids to the `count` entries of a directory, once.
    mutating func add(directory node: UInt64, id: ObjectID, count: Int) throws(Refusal) -> DirectoryBlock {
        if let known = block(ofDirectory: node) { return known }
        guard let parent = place(of: node), let count = UInt32(exactly: count) else { throw .full }
        guard depths[parent.blockIndex] < Self.maximumDepth else { throw .tooDeep }
        let block = DirectoryBlock(base: nextNode, count: count, parent: node, directory: id)
        guard memory.append(block) else { throw .full }
        note(block, depths.count, parent)
        return block
    }

    private mutating func note(_ block: DirectoryBlock, _ index: Int, _ parent: Place) {
        blockOfDirectory[block.parent] = Int32(truncatingIfNeeded: index)
        depths.append(depths[parent.blockIndex] + 1)
        bases.append(block.base)
        nextNode = block.base + UInt64(block.count)
    }
}
