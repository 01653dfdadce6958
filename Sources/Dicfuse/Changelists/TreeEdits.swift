import CacheProtocol
import GitObjects

/// What is to become of a tree: files that are put or taken away, by path. A trie; parents have lower numbers than their children, so that
/// it is walked without recursion in both directions.
struct TreeEdits: Sendable {
    struct Node: Sendable {
        let name: [UInt8]
        let parent: Int
        var children: [[UInt8]: Int] = [:]
        var put: ChangedFile.Put?
        var isDeleted = false
    }

    /// The same file is put twice.
    struct Duplicate: Error, Hashable {
        let path: [[UInt8]]
    }

    private(set) var nodes = [Node(name: [], parent: 0)]
    /// Files that are put or taken away.
    private(set) var count = 0

    init() {}

    /// Taking away what is put as well is putting.
    mutating func delete(_ path: [[UInt8]]) {
        let node = insert(path)
        if !nodes[node].isDeleted, nodes[node].put == nil { count += 1 }
        nodes[node].isDeleted = true
    }

    mutating func put(_ put: ChangedFile.Put, at path: [[UInt8]]) throws(Duplicate) {
        let node = insert(path)
        guard nodes[node].put == nil else { throw Duplicate(path: path) }
        if !nodes[node].isDeleted { count += 1 }
        nodes[node].put = put
        // Nothing happens there, but the mode is looked up there.
        if put.mode == nil, let before = put.before { _ = insert(before) }
    }

    /// The number of the node at `path`, if something is to happen there or below, or to be looked up.
    func node(at path: some Sequence<[UInt8]>) -> Int? {
        var node = 0
        for name in path {
            guard let next = nodes[node].children[name] else { return nil }
            node = next
        }
        return node
    }

    func path(of node: Int) -> [[UInt8]] {
        var path: [[UInt8]] = []
        var node = node
        while node != 0 {
            path.append(nodes[node].name)
            node = nodes[node].parent
        }
        return path.reversed()
    }

    private mutating func insert(_ path: [[UInt8]]) -> Int {
        var node = 0
        for name in path {
            if let next = nodes[node].children[name] {
                node = next
            } else {
                nodes.append(Node(name: name, parent: node))
                nodes[node].children[name] = nodes.count - 1
                node = nodes.count - 1
            }
        }
        return node
    }
}
