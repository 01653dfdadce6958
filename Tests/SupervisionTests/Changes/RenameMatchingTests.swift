import GitObjects
import Glibc
import Testing

@testable import Supervision

@Suite struct RenameMatchingTests {
    private func key(_ mode: FileMode = .regular) -> RenameMatching.Key {
        RenameMatching.Key(id: .emptyBlobSHA1, mode: mode)
    }

    @Test func namesAreKeptFirstThenTheOrderOfPathsDecides() {
        let (gone, come) = (["b/x", "a/y", "a/z", "c"], ["n/z", "m", "n/a", "k", "q"])
        for _ in 0..<10 {
            var matching = RenameMatching()
            for path in gone.shuffled() { matching.goes(Array(path.utf8), key()) }
            for path in come.shuffled() { matching.comes(Array(path.utf8), key()) }
            let found = matching.renames().map {
                "\(String(decoding: $1, as: UTF8.self)) -> \(String(decoding: $0, as: UTF8.self))"
            }
            #expect(found.sorted() == ["a/y -> k", "a/z -> n/z", "b/x -> m", "c -> n/a"])
        }
    }

    @Test func anotherModeIsAnotherFile() {
        var matching = RenameMatching()
        matching.goes([1], key())
        matching.comes([2], key(.executable))
        #expect(matching.renames().isEmpty)
    }

    /// Files without contents are all the same.
    @Test(.enabled(if: getenv("ANTARES_SANITIZE") == nil), .timeLimit(.minutes(1))) func manyThatAreTheSame() {
        var matching = RenameMatching()
        for number in 0..<50_000 {
            matching.goes(Array("old/\(number)".utf8), key())
            matching.comes(Array("new/\(number + 25_000)".utf8), key())
        }
        let renames = matching.renames()
        #expect(renames.count == 50_000 && Set(renames.values).count == 50_000)
        #expect(renames[Array("new/30000".utf8)] == Array("old/30000".utf8))
    }
}
