import CacheProtocol
import GitObjects
import Testing

@testable import Dicfuse

@Suite("Places of changelists") struct ChangePlacementTests {
    private static let put = ChangedFile.Put(id: .emptyBlobSHA1, mode: .regular, size: 0)

    private func changelist(_ paths: String...) -> Changelist {
        Changelist(
            base: .unknown,
            files: paths.map { ChangedFile(path: FlatTree.components($0), action: .put(Self.put)) })
    }

    /// Paths that are put, from the root of the tree.
    private func paths(_ root: String, _ mount: String, _ changelist: Changelist) throws -> Set<String> {
        let placement = ChangePlacement(root: FlatTree.components(root), mount: FlatTree.components(mount))
        let edits = try placement.edits(changelist, "CL")
        return Set(
            edits.nodes.indices.filter { edits.nodes[$0].put != nil }.map { ChangePlacement.text(edits.path(of: $0)) })
    }

    @Test("Seen from the root, from above, from the changelist's root and from below") func everywhere() throws {
        let change = changelist("a/f", "b", "a/deep/g")
        let all: Set = ["/p/q/a/f", "/p/q/b", "/p/q/a/deep/g"]
        #expect(try paths("p/q", "", change) == all)
        #expect(try paths("p/q", "p", change) == all)
        #expect(try paths("p/q", "p/q", change) == all)
        #expect(try paths("p/q", "p/q/a", change) == ["/p/q/a/f", "/p/q/a/deep/g"])
        #expect(try paths("", "a", change) == ["/a/f", "/a/deep/g"])
        #expect(try paths("", "", change) == ["/a/f", "/b", "/a/deep/g"])
        // A file that becomes the directory above the mount, or the other way, is seen.
        #expect(try paths("", "b/x", change) == ["/b"])
    }

    @Test("A change of which the mount shows nothing is an error that says where it is") func elsewhere() throws {
        for (root, mount) in [("p", "q"), ("", "c"), ("p/q", "p/r"), ("", "ab")] {
            let error = #expect(throws: CacheError.self) { try paths(root, mount, changelist("a/f", "b")) }
            #expect(error?.code == .changelistMisplaced)
            #expect(error?.message.contains("/" + root) == true)
        }
        // One that changes nothing anywhere shows nothing anywhere.
        #expect(try paths("p", "q", changelist()) == [])
    }

    @Test("Modes are looked up where the changelist's root is") func sources() throws {
        var put = Self.put
        put.mode = nil
        put.before = FlatTree.components("old/name")
        let change = Changelist(
            base: .unknown, files: [ChangedFile(path: FlatTree.components("new"), action: .put(put))])
        let edits = try ChangePlacement(root: FlatTree.components("p"), mount: []).edits(change, "CL")
        #expect(edits.node(at: FlatTree.components("p/old/name")) != nil)
        #expect(edits.count == 1)
    }

    @Test("Twice the same file is not a changelist") func twice() throws {
        let error = #expect(throws: CacheError.self) { try paths("", "", changelist("a", "a")) }
        #expect(error?.code == .corrupt)
    }

    @Test("In a commit of its own the changelist's root is the root") func own() {
        func own(_ root: String, _ mount: String) -> ChangePlacement? {
            ChangePlacement(root: FlatTree.components(root), mount: FlatTree.components(mount)).fromRoot
        }
        #expect(own("p/q", "p/q/r") == ChangePlacement(root: [], mount: FlatTree.components("r")))
        #expect(own("p/q", "p/q") == ChangePlacement(root: [], mount: []))
        #expect(own("", "a") == ChangePlacement(root: [], mount: FlatTree.components("a")))
        #expect(own("p/q", "p") == nil)
        #expect(own("p/q", "p/x") == nil)
    }

    @Test(
        "Entries that leave the root, or that nothing can show, are refused",
        arguments: [
            "", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "a/./b", "a//b", "a/", "a\0b",
            String(repeating: "x", count: 256), String(repeating: "x/", count: 2_100) + "y",
        ])
    func escapes(path: String) {
        for action in ["new", "modified", "deleted"] {
            let error = #expect(throws: CacheError.self) {
                try ChangedFile.files(action: action, path: Array(path.utf8), old: nil, of: "CL", Self.put)
            }
            #expect(error?.code == .refused)
        }
        let error = #expect(throws: CacheError.self) {
            try ChangedFile.files(
                action: "renamed", path: Array("fine".utf8), old: Array(path.utf8), of: "CL", Self.put)
        }
        #expect(error?.code == .refused)
    }

    @Test("An action that is not known is an error, not a file less") func unknownAction() {
        for action in ["copied", "", "NEW"] {
            let error = #expect(throws: CacheError.self) {
                try ChangedFile.files(action: action, path: Array("f".utf8), old: nil, of: "CL", Self.put)
            }
            #expect(error?.code == .corrupt)
        }
    }
}
