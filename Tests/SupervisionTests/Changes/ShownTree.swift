import CacheProtocol
import GitHashing
import GitObjects
import Glibc
import LinuxSystem

@testable import Supervision

/// A tree as a job sees it, by path, in the terms of Git.
struct ShownTree: Equatable {
    enum Node: Hashable {
        case directory
        case file(isExecutable: Bool, [UInt8])
        case link([UInt8])
        case other
    }

    private(set) var nodes: [[UInt8]: Node] = [:]

    init(of root: Int32) throws {
        try add(root, at: [])
    }

    private mutating func add(_ directory: Int32, at path: [UInt8]) throws {
        for name in try Directory.names(of: directory) {
            let place = path.isEmpty ? name : path + [0x2F] + name
            let status = try FileStatus(at: directory, name)
            switch status.mode & S_IFMT {
            case S_IFDIR:
                nodes[place] = .directory
                let below = try Directory.open(beneath: directory, bytes: name, flags: O_RDONLY | O_DIRECTORY)
                try add(below.raw, at: place)
            case S_IFREG:
                let file = try Directory.open(beneath: directory, bytes: name, flags: O_RDONLY)
                nodes[place] = .file(isExecutable: status.mode & 0o100 != 0, try File.contents(of: file.raw))
            case S_IFLNK:
                let link = try Directory.open(beneath: directory, bytes: name, flags: File.pathOnly)
                nodes[place] = .link(try File.linkTarget(of: link.raw))
            default:
                nodes[place] = .other
            }
        }
    }

    /// What is at a path and below it.
    private func part(_ path: [UInt8]) -> [[UInt8]: Node] {
        nodes.filter { Self.isIn($0.key, path) }
    }

    private static func isIn(_ path: [UInt8], _ directory: [UInt8]) -> Bool {
        path == directory || path.starts(with: directory + [0x2F])
    }

    private mutating func remove(_ path: [UInt8]) {
        for key in part(path).keys { nodes[key] = nil }
    }

    private mutating func put(_ node: Node?, at path: [UInt8]) {
        nodes[path] = node
        var parent = path
        while let slash = parent.lastIndex(of: 0x2F) {
            parent = Array(parent[..<slash])
            if nodes[parent] == nil { nodes[parent] = .directory }
        }
    }

    /// The tree that the changes make of this one; what is new is taken from `after`.
    func applying(_ changes: [UpperChange], _ after: ShownTree) -> ShownTree {
        var tree = self
        var moves: [(to: [UInt8], from: [UInt8])] = []
        for change in changes {
            if case .renamed(let from) = change.kind { moves.append((change.path, from)) }
        }
        for move in moves { tree.remove(move.from) }
        for move in moves {
            tree.remove(move.to)
            // What was moved out of it on its own is not in it any more.
            let inner = moves.map(\.from).filter { $0 != move.from && Self.isIn($0, move.from) }
            for (path, node) in part(move.from) where !inner.contains(where: { Self.isIn(path, $0) }) {
                tree.put(node, at: move.to + path.dropFirst(move.from.count))
            }
        }
        for change in changes where change.kind == .deleted { tree.remove(change.path) }
        for change in changes where change.kind == .added || change.kind == .modified {
            // What is in a directory that came in the place of something else is told besides.
            if change.type != .directory { tree.remove(change.path) }
            tree.put(after.nodes[change.path], at: change.path)
        }
        return tree
    }

    // MARK: As a snapshot

    struct Trees {
        var root: ObjectID
        var directories: [ObjectID: PackedDirectory] = [:]

        func entry(at place: TreePlace) -> PackedEntry? {
            var entry = PackedEntry(mode: .directory, id: place.directory, size: 0)
            for name in place.path.split(separator: 0x2F) {
                guard entry.mode == .directory, let directory = directories[entry.id],
                    let index = directory.index(of: Array(name))
                else { return nil }
                entry = directory[index]
            }
            return entry
        }
    }

    func trees() -> Trees {
        var items: [[UInt8]: [DirectoryPacker.Item]] = [[]: []]
        for (path, node) in nodes {
            let slash = path.lastIndex(of: 0x2F)
            let parent = slash.map { Array(path[..<$0]) } ?? []
            let name = Array(path[(slash.map { $0 + 1 } ?? 0)...])
            guard let entry = entry(node, path) else { continue }
            items[parent, default: []].append(DirectoryPacker.Item(name: name, entry: entry))
            if node == .directory, items[path] == nil { items[path] = [] }
        }
        var trees = Trees(root: Self.key([]))
        for (path, items) in items {
            trees.directories[Self.key(path)] = (try? DirectoryPacker.pack(items)).flatMap { try? PackedDirectory($0) }
        }
        return trees
    }

    private func entry(_ node: Node, _ path: [UInt8]) -> PackedEntry? {
        switch node {
        case .directory: PackedEntry(mode: .directory, id: Self.key(path), size: 0)
        case .file(let isExecutable, let bytes):
            PackedEntry(
                mode: isExecutable ? .executable : .regular, id: .hash(blob: bytes), size: UInt64(bytes.count))
        case .link(let text): PackedEntry(mode: .symlink, id: .hash(blob: text), size: UInt64(text.count))
        case .other: nil
        }
    }

    private static func key(_ path: [UInt8]) -> ObjectID {
        ObjectID(kind: .path, bytes: SHA256.digest(path)) ?? .emptyTreeSHA1
    }
}
