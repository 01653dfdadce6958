import CacheProtocol
import GitHashing
import GitObjects

@testable import Dicfuse

/// A tree as its files by path, and what a cache would hold of it.
struct FlatTree: Equatable {
    struct File: Hashable {
        var mode: FileMode
        var id: ObjectID
    }

    var files: [String: File]

    /// Contents are their own text.
    static func file(_ contents: String, _ mode: FileMode = .regular) -> File {
        File(mode: mode, id: ObjectID.hash(blob: Array(contents.utf8)))
    }

    struct Built {
        var root: ObjectID
        var directories: [ObjectID: PackedDirectory]
    }

    /// Git's own trees of it.
    func built() throws -> Built {
        var built = Built(root: .emptyTreeSHA1, directories: [:])
        built.root = try build(files.map { (Self.components($0.key), $0.value) }, into: &built.directories)
        return built
    }

    private func build(
        _ files: [([[UInt8]], File)], into directories: inout [ObjectID: PackedDirectory]
    ) throws -> ObjectID {
        var entries: [TreeEntry] = []
        for (name, group) in Dictionary(grouping: files, by: { $0.0[0] }) {
            if group.count == 1, group[0].0.count == 1 {
                entries.append(TreeEntry(mode: group[0].1.mode, id: group[0].1.id, name: name))
            } else {
                let id = try build(group.map { (Array($0.0.dropFirst()), $0.1) }, into: &directories)
                entries.append(TreeEntry(mode: .directory, id: id, name: name))
            }
        }
        let id = ObjectID.hash(tree: TreeWriter.payload(of: entries))
        directories[id] = try PackedDirectory(
            DirectoryPacker.pack(
                entries.map {
                    DirectoryPacker.Item(name: $0.name, entry: PackedEntry(mode: $0.mode, id: $0.id, size: 1))
                }))
        return id
    }

    /// The files below a root, read from packed directories.
    static func read(_ root: ObjectID, _ find: (ObjectID) throws -> PackedDirectory) throws -> FlatTree {
        var tree = FlatTree(files: [:])
        var queue = [("", root)]
        while let (path, id) = queue.popLast() {
            for item in try find(id).items {
                let name = path + (path.isEmpty ? "" : "/") + String(decoding: item.name, as: UTF8.self)
                if item.entry.mode == .directory {
                    queue.append((name, item.entry.id))
                } else {
                    tree.files[name] = File(mode: item.entry.mode, id: item.entry.id)
                }
            }
        }
        return tree
    }

    static func components(_ path: String) -> [[UInt8]] {
        path.utf8.split(separator: 0x2F).map(Array.init)
    }

    /// What an origin tells of the way from one tree to another: with `plain` as the published API does, and files that only changed
    /// their mode are not told at all. What is gone and has come with the same contents is a rename.
    static func changes(_ old: FlatTree, _ new: FlatTree, plain: Bool = false) -> [ChangedFile] {
        var changes: [ChangedFile] = []
        var gone = old.files.filter { new.files[$0.key] == nil }
        for (path, file) in new.files.sorted(by: { $0.key < $1.key }) {
            var put = ChangedFile.Put(id: file.id, mode: plain ? nil : file.mode, size: plain ? nil : 1)
            if let before = old.files[path] {
                guard before.id != file.id || !plain && before.mode != file.mode else { continue }
                put.before = components(path)
            } else if let source = gone.first(where: { $0.value.id == file.id }) {
                gone[source.key] = nil
                changes.append(ChangedFile(path: components(source.key), action: .delete))
                put.before = components(source.key)
            }
            changes.append(ChangedFile(path: components(path), action: .put(put)))
        }
        for path in gone.keys.sorted() { changes.append(ChangedFile(path: components(path), action: .delete)) }
        return changes
    }
}
