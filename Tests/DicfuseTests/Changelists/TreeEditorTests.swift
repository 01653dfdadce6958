import CacheProtocol
import GitHashing
import GitObjects
import Testing

@testable import Dicfuse

@Suite("Changed trees") struct TreeEditorTests {
    typealias File = FlatTree.File

    /// The old tree with the changes, and which directories had to be looked at.
    private func edited(
        _ old: FlatTree, _ changes: [ChangedFile], root: String = "", mount: String = ""
    ) throws -> (tree: EditedTree, asked: Set<ObjectID>, built: FlatTree.Built) {
        let built = try old.built()
        let placement = ChangePlacement(root: FlatTree.components(root), mount: FlatTree.components(mount))
        let edits = try placement.edits(Changelist(base: .unknown, files: changes), "CL")
        var editor = TreeEditor(edits, root: built.root)
        var asked = Set<ObjectID>()
        while case let missing = editor.missing(), !missing.isEmpty {
            for id in missing {
                #expect(asked.insert(id).inserted)
                editor.supply(id, try #require(built.directories[id]))
            }
        }
        return (try editor.apply(), asked, built)
    }

    private func files(_ edited: EditedTree, _ built: FlatTree.Built) throws -> FlatTree {
        try FlatTree.read(edited.root) { id in
            try edited.directories[id].map { try PackedDirectory($0.packed) } ?? #require(built.directories[id])
        }
    }

    private func check(_ old: [String: File], _ new: [String: File]) throws {
        let (old, new) = (FlatTree(files: old), FlatTree(files: new))
        let (tree, _, built) = try edited(old, FlatTree.changes(old, new))
        #expect(try files(tree, built) == new)
        let truth = try new.built().root
        #expect((tree.root.kind == .sha1 ? tree.root : tree.directories[tree.root]?.tree) == truth)
    }

    static let a = FlatTree.file("a")
    static let b = FlatTree.file("b")
    static let c = FlatTree.file("c", .executable)

    @Test("Files come, change, go and move") func kinds() throws {
        try check(["f": Self.a], ["f": Self.a, "g": Self.b])
        try check(["f": Self.a, "x/y": Self.b], ["f": Self.b, "x/y": Self.b])
        try check(["f": Self.a, "x/y": Self.b], ["x/y": Self.b])
        try check(["f": Self.a, "x/y": Self.b], ["x/y": Self.b, "x/z/f": Self.a])
        try check(["f": Self.a], ["f": File(mode: .executable, id: Self.a.id)])
        try check(["f": Self.a], ["f": File(mode: .symlink, id: Self.a.id)])
        try check(["f": Self.a], ["f": File(mode: .submodule, id: Self.b.id)])
        try check(["f": File(mode: .submodule, id: Self.b.id)], ["g": Self.a])
    }

    @Test("Files become directories and directories files") func types() throws {
        try check(["a": Self.a], ["a/b": Self.b])
        try check(["a": Self.a], ["a/b/c": Self.a])
        try check(["a/b": Self.a, "a/c/d": Self.b], ["a": Self.c])
        try check(["a/b/c": Self.a], ["a": Self.a])
        try check(["a/b/c": Self.a], ["a/b": Self.a])
        try check(
            ["a": File(mode: .symlink, id: Self.a.id)], ["a/x": Self.b, "b": File(mode: .symlink, id: Self.a.id)])
        try check(["a": File(mode: .submodule, id: Self.a.id)], ["a/x": Self.b])
        // The order of Git's trees differs with the type.
        try check(["a": Self.a, "a.b": Self.b, "a0": Self.b], ["a/x": Self.a, "a.b": Self.b, "a0": Self.b])
    }

    @Test("Directories that become empty vanish, however deep; a whole tree may") func empty() throws {
        try check(["a/b/c/d": Self.a, "e": Self.b], ["e": Self.b])
        try check(["a/b/c/d": Self.a, "a/e": Self.b], ["a/e": Self.b])
        try check(["a/b/c/d": Self.a, "e": Self.b], [:])
        try check([:], ["a/b/c": Self.a])
    }

    @Test("What comes to nothing leaves the tree as it was") func nothing() throws {
        let old = FlatTree(files: ["x/f": Self.a, "y": Self.c])
        let (none, asked, built) = try edited(old, [])
        #expect(none.root == built.root && none.directories.isEmpty && asked.isEmpty)
        let same = ChangedFile.Put(id: Self.a.id, mode: .regular)
        let unknown = ChangedFile.Put(id: Self.c.id)
        let (tree, _, _) = try edited(
            old,
            [
                ChangedFile(path: FlatTree.components("x/f"), action: .put(same)),
                ChangedFile(path: FlatTree.components("y"), action: .put(unknown)),
                ChangedFile(path: FlatTree.components("gone/before"), action: .delete),
                ChangedFile(path: FlatTree.components("y/below"), action: .delete),
            ])
        #expect(tree.root == built.root && tree.directories.isEmpty)
    }

    @Test("Only directories on the way to a change are looked at, and only what differs is marked") func extent() throws
    {
        let old = FlatTree(files: [
            "x/f": Self.a, "x/g": Self.b, "x/deep/h": Self.c, "y/f": Self.b, "y/z/f": Self.a, "top": Self.a,
        ])
        var new = old
        new.files["x/f"] = Self.c
        new.files["x/new/file"] = Self.a
        let (tree, asked, built) = try edited(old, FlatTree.changes(old, new))
        let root = try #require(built.directories[built.root])
        let x = root[try #require(root.index(of: Array("x".utf8)))].id
        #expect(asked == [built.root, x])
        #expect(tree.directories.count == 3)
        func marks(_ id: ObjectID) throws -> [String: Bool] {
            let listing = try PackedDirectory(try #require(tree.directories[id]).packed)
            return Dictionary(
                uniqueKeysWithValues: listing.items.map {
                    (String(decoding: $0.name, as: UTF8.self), $0.entry.flags.contains(.changed))
                })
        }
        #expect(try marks(tree.root) == ["x": true, "y": false, "top": false])
        let changed = try PackedDirectory(try #require(tree.directories[tree.root]).packed)
        let changedX = changed[try #require(changed.index(of: Array("x".utf8)))].id
        #expect(try marks(changedX) == ["f": true, "g": false, "deep": false, "new": true])
    }

    @Test("The same change of the same tree has the same name, another one another") func names() throws {
        let old = FlatTree(files: ["x/f": Self.a, "y": Self.b])
        var new = old
        new.files["x/f"] = Self.b
        let one = try edited(old, FlatTree.changes(old, new)).tree
        let two = try edited(old, FlatTree.changes(old, new).reversed()).tree
        #expect(one.root == two.root)
        new.files["x/f"] = Self.c
        #expect(try edited(old, FlatTree.changes(old, new)).tree.root != one.root)
        #expect(TreeEditor.view(of: one.root, time: 1) != TreeEditor.view(of: one.root, time: 2))
    }

    @Test("Modes that the origin does not tell are those of the file before, else unknown") func plainModes() throws {
        let link = File(mode: .symlink, id: Self.a.id)
        let old = FlatTree(files: ["run": Self.c, "link": link, "moved/from": Self.c])
        var new = old
        new.files["run"] = Self.a
        new.files["link"] = Self.b
        new.files["fresh"] = FlatTree.file("fresh")
        new.files["moved/from"] = nil
        new.files["to"] = Self.c
        let (tree, _, _) = try edited(old, FlatTree.changes(old, new, plain: true))
        let root = try PackedDirectory(try #require(tree.directories[tree.root]).packed)
        var found: [String: (FileMode, PackedEntry.Flags)] = [:]
        for item in root.items {
            found[String(decoding: item.name, as: UTF8.self)] = (item.entry.mode, item.entry.flags)
        }
        #expect(found["run"]! == (.executable, [.changed, .sizeUnknown]))
        #expect(found["link"]! == (.symlink, [.changed, .sizeUnknown]))
        #expect(found["to"]! == (.executable, [.changed, .sizeUnknown]))
        #expect(found["fresh"]! == (.regular, [.changed, .sizeUnknown, .modeUnknown]))
        // Without all modes Git's name of the tree is not known.
        #expect(tree.directories[tree.root]?.tree == nil)
    }

    @Test("What is known of contents is used") func knownContents() throws {
        let built = try FlatTree(files: ["f": Self.a]).built()
        var edits = TreeEdits()
        try edits.put(ChangedFile.Put(id: Self.b.id), at: FlatTree.components("g"))
        var editor = TreeEditor(edits, root: built.root) { id in id == Self.b.id ? (7, true) : nil }
        for id in editor.missing() { editor.supply(id, built.directories[id]!) }
        let tree = try editor.apply()
        let root = try PackedDirectory(try #require(tree.directories[tree.root]).packed)
        let entry = root[try #require(root.index(of: Array("g".utf8)))]
        #expect(entry == PackedEntry(mode: .executable, flags: .changed, id: Self.b.id, size: 7))
    }

    @Test("A change that does not fit says where") func conflicts() throws {
        func conflict(_ old: [String: File], _ changes: [ChangedFile]) throws -> EditConflict? {
            do {
                _ = try edited(FlatTree(files: old), changes)
                return nil
            } catch let conflict as EditConflict {
                return conflict
            }
        }
        func put(_ path: String) -> ChangedFile {
            ChangedFile(path: FlatTree.components(path), action: .put(ChangedFile.Put(id: Self.a.id, mode: .regular)))
        }
        func delete(_ path: String) -> ChangedFile { ChangedFile(path: FlatTree.components(path), action: .delete) }
        let d = FlatTree.components
        #expect(try conflict(["d/f": Self.a, "d/g": Self.b], [delete("d/f"), put("d")]) == .directoryInTheWay(d("d")))
        #expect(try conflict(["d/f": Self.a], [put("d")]) == .directoryInTheWay(d("d")))
        #expect(try conflict([:], [put("d"), put("d/f")]) == .directoryInTheWay(d("d")))
        #expect(try conflict(["f": Self.a], [put("f/g")]) == .fileInTheWay(d("f")))
        #expect(try conflict(["f": File(mode: .submodule, id: Self.a.id)], [put("f/g/h")]) == .fileInTheWay(d("f")))
        #expect(try conflict(["x/d/f": Self.a], [delete("x/d")]) == .notAFile(d("x/d")))
        #expect(try conflict(["d/f": Self.a], [delete("d/f"), put("d")]) == nil)
    }

    /// Git stores no mode but these, and no empty directories.
    @Test("Any tree changed into any other is that other, and has its name", arguments: 0..<8)
    func anyTwo(seed: UInt64) throws {
        var random = Seeded(1_000 + seed)
        let names = ["a", "b", "a.b", "a0", "a-b", "B", "c d", "ä"]
        let modes: [FileMode] = [.regular, .regular, .executable, .symlink, .submodule]
        func tree() -> FlatTree {
            var tree = FlatTree(files: [:])
            for _ in 0..<Int.random(in: 0...14, using: &random) {
                let path = (0...Int.random(in: 0...3, using: &random)).map { _ in names.randomElement(using: &random)! }
                let name = path.joined(separator: "/")
                let isTaken = tree.files.keys.contains {
                    $0 == name || $0.hasPrefix(name + "/") || name.hasPrefix($0 + "/")
                }
                if isTaken { continue }
                tree.files[name] = FlatTree.file(
                    "\(Int.random(in: 0...9, using: &random))", modes.randomElement(using: &random)!)
            }
            return tree
        }
        for _ in 0..<250 {
            let (old, new) = (tree(), tree())
            let (edited, _, built) = try edited(old, FlatTree.changes(old, new).shuffled(using: &random))
            let found = try files(edited, built)
            try #require(found == new)
            let truth = try new.built().root
            let name = edited.root.kind == .sha1 ? edited.root : edited.directories[edited.root]?.tree
            try #require(name == truth)
            // What the plain API tells is enough for names and contents.
            let plain = try self.edited(old, FlatTree.changes(old, new, plain: true))
            let contents = try files(plain.tree, built).files.mapValues(\.id)
            try #require(contents == new.files.mapValues(\.id))
        }
    }
}
