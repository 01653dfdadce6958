import Foundation
import GitObjects
import Hummingbird
import HummingbirdTesting
import Testing

@testable import OriginServer

/// Changelists as the published API and the extension give them.
@Suite(.timeLimit(.minutes(2))) struct ChangelistTests {
    /// A repository whose `main` is `base` of the changes that `change` makes in `refs/cl/X`.
    private static func changed(
        _ prepare: (TestRepository) throws -> Void, _ change: (TestRepository) throws -> Void
    ) throws -> TestRepository {
        let repository = try TestRepository()
        try prepare(repository)
        try repository.commit("base")
        try repository.git(["checkout", "-q", "-b", "change"])
        try change(repository)
        try repository.commit("change")
        try repository.git(["update-ref", "refs/cl/X", "change"])
        try repository.git(["checkout", "-q", "main"])
        return repository
    }

    private static let long = (0..<40).map { "line \($0)\n" }.joined()

    private static func allKinds() throws -> TestRepository {
        try self.changed { repository in
            try repository.write("dir/moved.txt", self.long)
            try repository.write("edited", "one\n")
            try repository.write("gone", "going\n")
            try repository.write("run", "#!/bin/sh\n")
            try repository.write("to-link", "target")
            try repository.write("dir.c", "beside\n")
        } _: { repository in
            try repository.git(["mv", "dir/moved.txt", "other.txt"])
            try repository.write("other.txt", self.long + "more\n")
            try repository.write("edited", "two\n")
            try repository.write("new/file", "fresh\n")
            try repository.git(["rm", "-q", "gone"])
            try repository.git(["update-index", "--chmod=+x", "run"])
            try FileManager.default.removeItem(atPath: repository.path + "/to-link")
            try FileManager.default.createSymbolicLink(
                atPath: repository.path + "/to-link", withDestinationPath: "target")
            chmod(repository.path + "/run", 0o755)
        }
    }

    @Test(arguments: [false, true]) func filesList(strict: Bool) async throws {
        let repository = try Self.allKinds()
        try await serving(repository, strict: strict) { (client) async throws in
            let items: [[String: Any]] = try await client.data("/api/v1/cl/X/files-list")
            let expected: [[String: String]] = [
                ["path": "edited", "action": "modified", "sha": try repository.id("change:edited").hex],
                ["path": "gone", "action": "deleted", "sha": try repository.id("main:gone").hex],
                ["path": "new/file", "action": "new", "sha": try repository.id("change:new/file").hex],
                [
                    "path": "other.txt", "action": "renamed", "sha": try repository.id("change:other.txt").hex,
                    "old_path": "dir/moved.txt",
                ],
            ]
            // The mode of `run` and the type of `to-link` changed and nothing else: the published API has no word for that.
            #expect(items.map { item in item.compactMapValues { $0 as? String } } == expected)
            let similarity = try #require(items.last?["similarity"] as? Int)
            #expect((50...99).contains(similarity))
        }
    }

    @Test func extensionTellsAll() async throws {
        let repository = try Self.allKinds()
        try await serving(repository) { (client) async throws in
            let capabilities = try await client.object("/antares/v1/capabilities")
            #expect((capabilities["extensions"] as? [String])?.contains("changelists") == true)
            let all = try await client.object("/antares/v1/changelists/X")
            #expect(all["base"] as? String == (try repository.id("main").hex))
            #expect(all["tip"] as? String == (try repository.id("change").hex))
            #expect(all["base_tree"] as? String == (try repository.id("main^{tree}").hex))
            #expect(all["tip_tree"] as? String == (try repository.id("change^{tree}").hex))
            #expect(all["time"] as? Int == Int(try repository.text("log", "-1", "--format=%ct", "change")))
            let files = try #require(all["files"] as? [[String: Any]])
            let told = Dictionary(
                uniqueKeysWithValues: files.map { ($0["path"] as? String ?? "", $0["mode"] as? String ?? "") })
            #expect(
                told == [
                    "edited": "100644", "gone": "100644", "new/file": "100644", "other.txt": "100644", "run": "100755",
                    "to-link": "120000",
                ])
            let sizes = Dictionary(
                uniqueKeysWithValues: files.map { ($0["path"] as? String ?? "", $0["size"] as? Int) })
            #expect(sizes["new/file"] == 6)
            #expect(sizes["gone"] == .some(nil))
            #expect(sizes["other.txt"] == Self.long.utf8.count + 5)
        }
    }

    @Test func namesArriveByteByByte() async throws {
        let names = TestRepository.oddNames.map { Array($0.utf8) } + [TestRepository.notUTF8]
        let repository = try Self.changed {
            try $0.write("kept", "kept")
        } _: { repository in
            for name in names { try repository.write(name, Data("content".utf8) + Data(name)) }
        }
        try await serving(repository) { (client) async throws in
            let all = try await client.object("/antares/v1/changelists/X")
            let files = try #require(all["files"] as? [[String: Any]])
            #expect(Set(files.compactMap { $0["path"] as? String }) == Set(names.map { encode($0).uppercasedEscapes }))
        }
    }

    @Test func componentsDecideTheOrder() async throws {
        let paths = ["a", "a-b", "a.c", "a/b", "a/b.c", "a0"]
        let changes = paths.map {
            ChangedFile(action: .new, path: Array($0.utf8), id: .emptyBlobSHA1, mode: .regular)
        }
        let sorted = changes.shuffled().sorted(by: ChangedFile.precedes).map {
            String(decoding: $0.path, as: UTF8.self)
        }
        #expect(sorted == ["a", "a/b", "a/b.c", "a-b", "a.c", "a0"])
    }

    @Test func configuredNamesComeBeforeRefs() async throws {
        let repository = try Self.allKinds()
        let origin = try makeOrigin(repository, changelists: ["X=change..main", "FIRST=..main", "a/b=main..change"])
        try await serving(origin) { (client) async throws in
            let back: [[String: Any]] = try await client.data("/api/v1/cl/X/files-list")
            #expect(back.compactMap { $0["action"] as? String } == ["renamed", "modified", "new", "deleted"])
            let first: [[String: Any]] = try await client.data("/api/v1/cl/FIRST/files-list")
            #expect(Set(first.compactMap { $0["action"] as? String }) == ["new"])
            #expect(first.count == 6)
            let status: [String: Any] = try await client.data("/api/v1/cl/FIRST/update-status")
            #expect(status["base_commit"] as? String == String(repeating: "0", count: 40))
            let nested: [[String: Any]] = try await client.data("/api/v1/cl/a%2Fb/files-list")
            #expect(nested.count == 4)
        }
    }

    @Test func baseOfARefIsWhereItLeftHead() async throws {
        let repository = try Self.allKinds()
        let base = try repository.id("main")
        try repository.write("later", "main went on\n")
        let head = try repository.commit("later")
        try await serving(repository) { (client) async throws in
            let status: [String: Any] = try await client.data("/api/v1/cl/X/update-status")
            #expect(status["base_commit"] as? String == base.hex)
            #expect(status["target_head"] as? String == head.hex)
            #expect(status["outdated"] as? Bool == true)
        }
        // Once HEAD has it, it is what its last commit changed.
        try repository.git(["reset", "-q", "--hard", "change"])
        try await serving(repository) { (client) async throws in
            let items: [[String: Any]] = try await client.data("/api/v1/cl/X/files-list")
            #expect(items.count == 4)
        }
    }

    @Test func unknownIsNotFound() async throws {
        try await serving(try Self.allKinds()) { (client) async throws in
            for path in [
                "/api/v1/cl/NONE/files-list", "/api/v1/cl/NONE/update-status",
                "/api/v1/cl/..%2F..%2Fheads%2Fmain/files-list",
                "/api/v1/cl/%ff/files-list", "/antares/v1/changelists/NONE",
            ] {
                #expect(try await client.get(path).status == .notFound, "\(path)")
            }
            let text = String(buffer: try await client.get("/api/v1/cl/NONE/files-list").body)
            #expect(text.contains("CL NONE not found"))
        }
    }

    /// As a published server finds renames: identical contents always, however many files there are.
    @Test func identicalFilesAreRenamesHoweverMany() async throws {
        let repository = try Self.changed { repository in
            for number in 0..<1_200 { try repository.write("old/\(number)", "content \(number)\n") }
        } _: { repository in
            try repository.git(["mv", "old", "new"])
        }
        try await serving(repository) { (client) async throws in
            let items: [[String: Any]] = try await client.data("/api/v1/cl/X/files-list")
            #expect(items.count == 1_200)
            #expect(Set(items.compactMap { $0["action"] as? String }) == ["renamed"])
            #expect(Set(items.compactMap { $0["similarity"] as? Int }) == [100])
        }
    }

    @Test(arguments: [
        ("X=a..b", true), ("X=..b", true), ("X=b", false), ("=a..b", false), ("X=a..", false),
        ("X=a...b", false), ("X=a b..c", false), ("X=v1..feature/x", true),
    ])
    func configuredForm(text: String, isGood: Bool) {
        #expect((ChangelistRange(text: text) != nil) == isGood)
    }
}

extension String {
    /// The digits after a percent sign in capitals, as RFC 3986 wants them.
    fileprivate var uppercasedEscapes: String {
        var text = ""
        var digits = 0
        for character in self {
            text += digits > 0 ? character.uppercased() : String(character)
            digits = character == "%" ? 2 : max(0, digits - 1)
        }
        return text
    }
}
