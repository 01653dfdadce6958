import CacheProtocol
import GitHashing
import GitObjects
import WireFormat

/// Applies edits to a tree. A value: it says which directories of the tree it needs, and does the rest from them.
struct TreeEditor: Sendable {
    let edits: TreeEdits
    let root: ObjectID
    /// Directories of the tree by id, as far as they are known.
    private(set) var known: [ObjectID: PackedDirectory] = [:]
    /// What is known of a blob: its size, and whether it is a program.
    private let information: @Sendable (ObjectID) -> (size: UInt64, executable: Bool?)?

    init(
        _ edits: TreeEdits, root: ObjectID,
        information: @escaping @Sendable (ObjectID) -> (size: UInt64, executable: Bool?)? = { _ in nil }
    ) {
        self.edits = edits
        self.root = root
        self.information = information
    }

    mutating func supply(_ id: ObjectID, _ directory: PackedDirectory) {
        known[id] = directory
    }

    /// Directories to be supplied before `apply`; empty once all are there. Those on the ways to the edits, and no others.
    func missing() -> [ObjectID] {
        var missing: [ObjectID] = []
        var seen = Set<ObjectID>()
        _ = before { id in
            if seen.insert(id).inserted { missing.append(id) }
        }
        return missing
    }

    // MARK: Before

    /// What the tree has at the place of each node; nil where there is nothing, or where a directory is not known.
    private func before(missing: (ObjectID) -> Void) -> [PackedEntry?] {
        var entries = [PackedEntry?](repeating: nil, count: edits.nodes.count)
        entries[0] = PackedEntry(mode: .directory, id: root, size: 0)
        for (index, node) in edits.nodes.enumerated() {
            if index > 0 {
                guard let parent = entries[node.parent], parent.mode == .directory, let directory = known[parent.id]
                else { continue }
                entries[index] = directory.index(of: node.name).map { directory[$0] }
            }
            if let entry = entries[index], entry.mode == .directory, !node.children.isEmpty, known[entry.id] == nil {
                missing(entry.id)
            }
        }
        return entries
    }

    // MARK: After

    /// What becomes of the place of a node.
    private enum Outcome {
        case asBefore
        case absent
        /// With the mode as the change has it: 0 if it has none, and whatever is found to be the mode meanwhile.
        case entry(PackedEntry, mode: UInt32)

        func entry(_ before: PackedEntry?) -> PackedEntry? {
            switch self {
            case .asBefore: before
            case .absent: nil
            case .entry(let entry, _): entry
            }
        }
    }

    /// The tree after the edits. Everything that `missing` named must have been supplied.
    func apply() throws(EditConflict) -> EditedTree {
        let before = before { _ in }
        var outcomes = [Outcome](repeating: .asBefore, count: edits.nodes.count)
        var made: [ObjectID: EditedTree.Directory] = [:]
        for index in edits.nodes.indices.reversed() {
            let node = edits.nodes[index]
            let below = try directory(index, before, outcomes, &made)
            outcomes[index] = try outcome(node, index, before, below)
        }
        guard let entry = outcomes[0].entry(before[0]) else {
            let empty = PackedDirectory.empty.withBytes { Array($0) }
            let key = Self.key(of: nil, [:])
            return EditedTree(
                root: key, directories: [key: EditedTree.Directory(packed: empty, tree: .emptyTreeSHA1)])
        }
        return EditedTree(root: entry.id, directories: made)
    }

    /// What the edits below a node make of it, apart from what is to happen to itself.
    private func directory(
        _ index: Int, _ before: [PackedEntry?], _ outcomes: [Outcome], _ made: inout [ObjectID: EditedTree.Directory]
    ) throws(EditConflict) -> Outcome {
        let node = edits.nodes[index]
        var changes: [[UInt8]: Outcome] = [:]
        for (name, child) in node.children {
            switch outcomes[child] {
            case .asBefore: break
            case .absent: if before[child] != nil { changes[name] = .absent }
            case .entry: changes[name] = outcomes[child]
            }
        }
        guard !changes.isEmpty else { return .asBefore }
        let old = before[index].flatMap { $0.mode == .directory ? $0.id : nil }
        var items = old.flatMap { known[$0] }?.items ?? []
        items.removeAll { changes[$0.name] != nil }
        for (name, change) in changes {
            if let entry = change.entry(nil) { items.append(DirectoryPacker.Item(name: name, entry: entry)) }
        }
        guard !items.isEmpty else { return .absent }
        guard let packed = try? DirectoryPacker.pack(items) else { throw .unfit(edits.path(of: index)) }
        let key = Self.key(of: old, changes)
        made[key] = EditedTree.Directory(packed: packed, tree: Self.tree(items, made))
        let entry = PackedEntry(mode: .directory, flags: .changed, id: key, size: 0)
        return .entry(entry, mode: FileMode.directory.rawValue)
    }

    private func outcome(
        _ node: TreeEdits.Node, _ index: Int, _ before: [PackedEntry?], _ below: Outcome
    ) throws(EditConflict) -> Outcome {
        let old = before[index]
        var contents = false
        if case .entry = below { contents = true }
        if let put = node.put {
            guard !contents else { throw .directoryInTheWay(edits.path(of: index)) }
            if old?.mode == .directory {
                guard case .absent = below else { throw .directoryInTheWay(edits.path(of: index)) }
            }
            return file(put, old, before)
        }
        guard let old else { return below }
        if old.mode == .directory {
            guard !node.isDeleted else { throw .notAFile(edits.path(of: index)) }
            return below
        }
        if node.isDeleted { return contents ? below : .absent }
        guard !contents else { throw .fileInTheWay(edits.path(of: index)) }
        return .asBefore
    }

    /// The entry of a file that is put; as before if that is the same.
    private func file(_ put: ChangedFile.Put, _ old: PackedEntry?, _ before: [PackedEntry?]) -> Outcome {
        var entry = PackedEntry(mode: .regular, flags: [.changed, .sizeUnknown], id: put.id, size: 0)
        let source = put.before.flatMap { edits.node(at: $0) }.flatMap { before[$0] }.flatMap {
            $0.mode == .directory ? nil : $0
        }
        let information = information(put.id)
        if let mode = put.mode {
            entry.mode = mode
        } else if let source, !source.flags.contains(.modeUnknown) {
            entry.mode = source.mode
        } else if let executable = information?.executable {
            entry.mode = executable ? .executable : .regular
        } else {
            entry.flags.insert(.modeUnknown)
        }
        if let old, old.mode != .directory, old.id == entry.id,
            old.mode == entry.mode || entry.flags.contains(.modeUnknown)
        {
            return .asBefore
        }
        if !entry.mode.hasBlob {
            entry.flags.remove(.sizeUnknown)
        } else if let size = put.size ?? information?.size {
            entry.size = size
            entry.flags.remove(.sizeUnknown)
        }
        return .entry(entry, mode: put.mode?.rawValue ?? 0)
    }

    // MARK: Names of directories

    /// The key of a directory: SHA-256 of `antares-change`, NUL, the directory that it was, and what has come and gone in it, by name. Not of
    /// what it holds: sizes and modes are found later, and it stays the same directory.
    private static func key(of old: ObjectID?, _ changes: [[UInt8]: Outcome]) -> ObjectID {
        var writer = WireWriter()
        writer.put(raw: Array("antares-change\0".utf8))
        writer.put(old ?? .emptyTreeSHA1)
        for (name, change) in changes.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            writer.put(bytes: name)
            guard case .entry(let entry, let mode) = change else {
                writer.put(UInt8(0))
                continue
            }
            writer.put(UInt8(1))
            writer.put(mode)
            writer.put(entry.id)
        }
        return key(writer.bytes)
    }

    private static func key(_ bytes: [UInt8]) -> ObjectID {
        guard let id = ObjectID(kind: .changed, bytes: SHA256.digest(bytes)) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return id
    }

    /// The key of the root of a mount in which what has changed shows `time`: the same tree changed at another time is another one.
    static func view(of root: ObjectID, time: Int64) -> ObjectID {
        key(Array("antares-view\0\(time)\0".utf8) + root.bytes)
    }

    private static func tree(
        _ items: [DirectoryPacker.Item], _ made: [ObjectID: EditedTree.Directory]
    ) -> ObjectID? {
        var entries: [TreeEntry] = []
        entries.reserveCapacity(items.count)
        for item in items {
            guard !item.entry.flags.contains(.modeUnknown) else { return nil }
            let id = item.entry.id.kind == .changed ? made[item.entry.id]?.tree : item.entry.id
            guard let id, id.kind == .sha1 else { return nil }
            entries.append(TreeEntry(mode: item.entry.mode, id: id, name: item.name))
        }
        return ObjectID.hash(tree: TreeWriter.payload(of: entries))
    }
}
