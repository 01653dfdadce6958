import GitHashing
import GitObjects
import Testing

@testable import Dicfuse

@Suite("Finding where a changelist begins") struct RootFinderTests {
    private static func shape(_ names: String..., id: String = "") -> RootFinder.Shape {
        var shape: RootFinder.Shape = [:]
        for name in names {
            let isDirectory = name.hasSuffix("/")
            let plain = Array((isDirectory ? String(name.dropLast()) : name).utf8)
            shape[plain] = RootFinder.Entry(isDirectory: isDirectory, id: ObjectID.hash(blob: plain + Array(id.utf8)))
        }
        return shape
    }

    private static let base = shape("src/", "lib/", "README", "BUCK")
    private static let p: [[UInt8]] = [Array("p".utf8)]
    private static let q: [[UInt8]] = [Array("q".utf8)]

    @Test("The same entries are the same place; most of them may be") func fit() {
        let moved = Self.shape("src/", "lib/", "README", "BUCK", id: "later")
        #expect(RootFinder.fit(Self.base, Self.base) == .same)
        #expect(RootFinder.fit(moved, Self.base) == .similar)
        #expect(RootFinder.fit(Self.shape("src/", "lib/", "README", "new"), Self.base) == .similar)
        #expect(RootFinder.fit(Self.shape("src/", "lib/", "README", "BUCK", "x"), Self.base) == .similar)
        #expect(RootFinder.fit(Self.shape("src/", "lib/"), Self.base) == .none)
        #expect(RootFinder.fit(Self.shape("src", "lib", "README", "BUCK"), Self.base) == .none)
        #expect(RootFinder.fit([:], Self.base) == .none)
        #expect(RootFinder.fit([:], [:]) == .none)
        // Ids that cannot be compared prove nothing.
        let opaque = Self.base.mapValues { RootFinder.Entry(isDirectory: $0.isDirectory, id: nil) }
        #expect(RootFinder.fit(opaque, Self.base) == .similar)
    }

    @Test("The very place wins; of several similar ones none does") func verdicts() {
        let moved = Self.shape("src/", "lib/", "README", "BUCK", id: "later")
        func verdict(_ looks: [([[UInt8]], RootFinder.Shape)], isComplete: Bool = true) -> RootFinder.Verdict {
            var finder = RootFinder(base: Self.base)
            for (path, shape) in looks { finder.look(at: path, shape) }
            return finder.verdict(isComplete: isComplete)
        }
        #expect(verdict([]) == .nowhere)
        #expect(verdict([([], moved)]) == .found([]))
        #expect(verdict([([], moved)], isComplete: false) == .uncertain([]))
        #expect(verdict([([], moved), (Self.p, moved)]) == .ambiguous([[], Self.p]))
        #expect(verdict([([], moved), (Self.p, Self.base)], isComplete: false) == .found(Self.p))
        #expect(verdict([(Self.q, Self.base), (Self.p, Self.base)]) == .ambiguous([Self.q, Self.p]))
    }
}
