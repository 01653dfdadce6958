import CacheProtocol
import GitObjects
import Testing

@testable import Supervision

@Suite struct CarryConflictsTests {
    private typealias Tree = [String: PackedEntry]

    private static func entry(_ mode: FileMode, _ number: UInt8) -> PackedEntry {
        let id = ObjectID(kind: .sha1, bytes: [UInt8](repeating: number, count: 20))
        return PackedEntry(mode: mode, id: id!, size: 1)
    }

    private static let base: Tree = [
        "a": entry(.regular, 1), "d": entry(.directory, 2), "d/x": entry(.regular, 3), "e": entry(.directory, 4),
        "e/y": entry(.regular, 5),
    ]

    private func conflicts(
        _ changes: [(String, UpperChange.Kind)], _ next: [String: PackedEntry?]
    ) -> [String] {
        let changes = changes.map { UpperChange(path: Array($0.0.utf8), kind: $0.1, type: .file) }
        let carry = CarryConflicts(changes)
        var after = Self.base
        for (path, entry) in next {
            if let entry { after[path] = entry } else { after.removeValue(forKey: path) }
        }
        func lookup(_ tree: Tree) -> [PackedEntry?] { carry.paths.map { tree[String(decoding: $0, as: UTF8.self)] } }
        return carry.conflicts(lookup(Self.base), lookup(after)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func whatOnlyOneOfThemChangedIsNone() {
        #expect(conflicts([("a", .modified), ("new", .added)], ["d/x": Self.entry(.regular, 9)]) == [])
        #expect(conflicts([("d/x", .deleted)], ["d": Self.entry(.directory, 9)]) == [])
    }

    @Test func whatBothChangedIsOne() {
        #expect(conflicts([("a", .modified)], ["a": Self.entry(.regular, 9)]) == ["a"])
        #expect(conflicts([("a", .deleted)], ["a": Self.entry(.executable, 1)]) == ["a"])
        #expect(conflicts([("a", .modified)], ["a": nil]) == ["a"])
        #expect(conflicts([("new", .added)], ["new": Self.entry(.regular, 9)]) == ["new"])
    }

    @Test func bothPlacesOfARenameCount() {
        let renamed: [(String, UpperChange.Kind)] = [("b", .renamed(from: Array("a".utf8)))]
        #expect(conflicts(renamed, ["a": Self.entry(.regular, 9)]) == ["a"])
        #expect(conflicts(renamed, ["b": Self.entry(.regular, 9)]) == ["b"])
    }

    @Test func aDirectoryTheJobWorksInThatIsOneNoMore() {
        #expect(conflicts([("d/new", .added)], ["d": Self.entry(.regular, 9)]) == ["d"])
        // Gone: only what the job has in it is there.
        #expect(conflicts([("d/new", .added)], ["d": nil]) == [])
        // What the job did to all of it meets a difference in it.
        #expect(conflicts([("e", .deleted)], ["e": Self.entry(.directory, 9)]) == ["e"])
        #expect(conflicts([("e", .deleted)], ["d": Self.entry(.directory, 9)]) == [])
        // Both made a directory: the job's covers the other.
        #expect(conflicts([("n/x", .added)], ["n": Self.entry(.directory, 9)]) == ["n"])
        #expect(conflicts([("e", .deleted)], ["e": Self.entry(.regular, 9)]) == ["e"])
    }
}
