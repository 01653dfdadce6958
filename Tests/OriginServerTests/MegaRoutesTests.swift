import Foundation
import GitHashing
import GitObjects
import Hummingbird
import HummingbirdTesting
import Testing

@testable import OriginServer

@Suite struct MegaRoutesTests {
    typealias Item = [String: String]

    @Test func listsTheRootDirectoriesFirst() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            let items: [Item] = try await client.data("/api/v1/tree/content-hash?path=/")
            let kinds = items.map { $0["content_type"] }
            #expect(kinds.firstIndex(of: "file") == kinds.lastIndex(of: "directory").map { $0 + 1 })
            let directories = items.filter { $0["content_type"] == "directory" }
            #expect(directories.map { $0["name"] } == ["bin", "odd dir & co", "src"])
            #expect(directories[2]["oid"] == (try repository.id("HEAD:src").hex))

            let files = Dictionary(uniqueKeysWithValues: items.map { ($0["name"] ?? "", $0) })
            for name in TestRepository.oddNames where !name.contains("/") {
                #expect(files[name]?["oid"] == ObjectID.hash(blob: Array("content of \(name)".utf8)).hex)
            }
            // Symbolic links and submodules are files, and bytes that are no UTF-8 are lost.
            #expect(files["link"]?["content_type"] == "file")
            #expect(files["sub"]?["content_type"] == "file")
            #expect(files["f\u{fffd}\u{fffd}.t"]?["oid"] == ObjectID.hash(blob: Array("not utf-8".utf8)).hex)
            #expect(Set(items.flatMap(\.keys)) == ["name", "content_type", "oid"])
        }
    }

    @Test(arguments: [
        "src/lib", "/src/lib", "//src///lib/", "/src/lib/", "./src/./lib", "%2Fsrc%2flib", "/src/lib&other=1",
    ])
    func pathSpellings(path: String) async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            let items: [Item] = try await client.data("/api/v1/tree/content-hash?path=\(path)")
            #expect(items.map { $0["name"] } == ["deep.c"])
        }
    }

    @Test(arguments: ["", "?path=", "?path=/", "?path=//", "?path", "?unknown=1"])
    func rootSpellings(query: String) async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            let items: [Item] = try await client.data("/api/v1/tree/content-hash\(query)")
            #expect(items.contains { $0["name"] == "README" })
        }
    }

    @Test func oddDirectoryNames() async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            for path in ["odd+dir+%26+co", "odd%20dir%20%26%20co", encode(Array("/odd dir & co".utf8))] {
                let items: [Item] = try await client.data("/api/v1/tree/content-hash?path=\(path)")
                #expect(items.map { $0["name"] } == ["inner%20file"])
            }
        }
    }

    @Test(arguments: ["missing", "README", "src/missing/deeper", "README/below", "src/..", "..", "sub", "link"])
    func whatIsNoDirectoryIsEmpty(path: String) async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            let items: [Item] = try await client.data("/api/v1/tree/content-hash?path=/\(path)")
            #expect(items.isEmpty)
            let hash: [Item] = try await client.data("/api/v1/tree/dir-hash?path=/\(path)")
            #expect(hash.isEmpty)
            let response = try await client.get("/api/v1/file/tree?path=/\(path)")
            #expect(response.status == .ok)
            #expect(response.body.readableBytes == 0)
        }
    }

    @Test func directoryHash() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            let items: [Item] = try await client.data("/api/v1/tree/dir-hash?path=/src/lib")
            let oid = try repository.id("HEAD:src/lib").hex
            #expect(items == [["name": "lib", "content_type": "directory", "oid": oid]])
            let root: [Item] = try await client.data("/api/v1/tree/dir-hash?path=/")
            #expect(root.isEmpty)
        }
    }

    @Test func refsNameACommitOrATag() async throws {
        let repository = try TestRepository.furnished()
        let first = try repository.id("HEAD^").hex
        let old = try repository.id("HEAD^:README").hex
        try await serving(repository) { (client) async throws in
            for refs in [first, "v1", "light"] {
                let items: [Item] = try await client.data("/api/v1/tree/content-hash?path=/&refs=\(refs)")
                #expect(items.first { $0["name"] == "README" }?["oid"] == old)
            }
            let tree = try repository.id("HEAD^{tree}").hex
            for refs in [
                "main", "side/branch", "refs/tags/v1", String(first.prefix(12)), tree, "nope", "--all",
                String(repeating: "0", count: 40),
            ] {
                let response = try await client.get("/api/v1/tree/content-hash?path=/&refs=\(refs)")
                #expect(response.status == .internalServerError, "\(refs)")
                #expect(
                    String(buffer: response.body)
                        == #"{"req_result":false,"data":null,"err_message":"Internal server error"}"#)
            }
        }
    }

    @Test func blobs() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            let id = try repository.id("HEAD:README").hex
            let response = try await client.get("/api/v1/file/blob/\(id)")
            #expect(response.status == .ok)
            #expect(String(buffer: response.body) == "hello again\n")
            #expect(response.headers[.contentType] == "application/octet-stream")
            #expect(response.headers[.contentDisposition] == "inline; filename=\"\(id)\"")
            let link = try await client.get("/api/v1/file/blob/\(try repository.id("HEAD:link").hex)")
            #expect(String(buffer: link.body) == "src/main.c")
            let empty = try await client.get("/api/v1/file/blob/\(ObjectID.emptyBlobSHA1.hex)")
            #expect(empty.status == .ok)
            #expect(empty.body.readableBytes == 0)
        }
    }

    @Test func blobFailures() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            let absent = [
                String(repeating: "12", count: 20), String(repeating: "ab", count: 32),
                try repository.id("HEAD").hex, try repository.id("HEAD:src").hex,
            ]
            for id in absent {
                let response = try await client.get("/api/v1/file/blob/\(id)")
                #expect(response.status == .notFound, "\(id)")
                #expect(String(buffer: response.body).hasPrefix(#"{"req_result":false,"data":null"#))
                let head = try await client.execute(uri: "/api/v1/file/blob/\(id)", method: .head) { $0 }
                #expect(head.status == .notFound)
            }
            for id in ["", "README", "xyz", String(repeating: "1", count: 41), "../../etc/passwd"] {
                #expect(try await client.get("/api/v1/file/blob/\(id)").status == .internalServerError)
            }
        }
    }

    @Test func rawTree() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            for path in ["", "src", "bin", "src/lib"] {
                let expected = try repository.git(["cat-file", "tree", path.isEmpty ? "HEAD^{tree}" : "HEAD:\(path)"])
                let response = try await client.get("/api/v1/file/tree?path=/\(path)")
                #expect(Data(response.body.readableBytesView) == expected)
                #expect(response.headers[.contentType] == "application/octet-stream")
            }
            let id = try repository.id("HEAD:src")
            let guarded = try await client.get("/api/v1/file/tree?path=/src&oid=\(id)")
            #expect(ObjectID.hash(tree: Array(guarded.body.readableBytesView)) == id)
            let moved = try await client.get("/api/v1/file/tree?path=/src&oid=\(try repository.id("HEAD:bin"))")
            #expect(moved.status == .ok)
            #expect(moved.body.readableBytes == 0)
            // This endpoint knows HEAD only.
            let head = try await client.get("/api/v1/file/tree?path=/&refs=v1")
            #expect(ObjectID.hash(tree: Array(head.body.readableBytesView)) == (try repository.id("HEAD^{tree}")))
        }
    }

    @Test func latestCommit() async throws {
        let repository = try TestRepository.furnished()
        let second = try repository.id("HEAD")
        let first = try repository.id("HEAD^")
        try await serving(repository) { (client) async throws in
            let root = try await client.object("/api/v1/latest-commit?path=/") as? [String: String]
            #expect(
                root == [
                    "oid": second.hex, "date": "1700000100", "short_message": "Second commit", "author": "Ann Author",
                    "committer": "Carl Committer", "status": "success",
                ])
            #expect(try await client.object("/api/v1/latest-commit")["oid"] as? String == second.hex)
            #expect(try await client.object("/api/v1/latest-commit?path=/README")["oid"] as? String == second.hex)
            #expect(try await client.object("/api/v1/latest-commit?path=/src")["oid"] as? String == first.hex)
            let old = try await client.object("/api/v1/latest-commit?path=/&refs=v1")
            #expect(old["oid"] as? String == first.hex)
            #expect(old["short_message"] as? String == "First commit")
            let missing = try await client.get("/api/v1/latest-commit?path=/nope")
            #expect(missing.status == .notFound)
            #expect(
                String(buffer: missing.body) == #"{"req_result":false,"data":null,"err_message":"File not found"}"#)
        }
    }

    @Test func latestCommitFollowsTheParentThatExplainsThePath() async throws {
        let repository = try TestRepository()
        try repository.write("a", "1")
        try repository.commit("base")
        try repository.git(["checkout", "-q", "-b", "topic"])
        try repository.write("b", "2")
        let onTopic = try repository.commit("adds b")
        try repository.git(["checkout", "-q", "main"])
        try repository.write("a", "3")
        let onMain = try repository.commit("changes a")
        try repository.git(["merge", "-q", "--no-ff", "-m", "merge", "topic"])
        try await serving(repository) { (client) async throws in
            #expect(try await client.object("/api/v1/latest-commit?path=/b")["oid"] as? String == onTopic.hex)
            #expect(try await client.object("/api/v1/latest-commit?path=/a")["oid"] as? String == onMain.hex)
        }
    }

    @Test func treeWithItsAncestors() async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            let data: [String: Any] = try await client.data("/api/v1/tree?path=src/lib/")
            #expect(
                data["tree_items"] as? [Item]
                    == [["name": "deep.c", "path": "/src/lib/deep.c", "content_type": "file"]])
            let above = try #require(data["file_tree"] as? [String: [String: Any]])
            #expect(Set(above.keys) == ["/", "/src"])
            #expect(above["/src"]?["total_count"] as? Int == 2)
            let root: [String: Any] = try await client.data("/api/v1/tree")
            #expect((root["file_tree"] as? [String: Any])?.isEmpty == true)
            let missing: [String: Any] = try await client.data("/api/v1/tree?path=/missing")
            #expect((missing["tree_items"] as? [Item])?.isEmpty == true)
        }
    }

    @Test func otherPathsAndMethods() async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            #expect(try await client.get("/").status == .ok)
            for path in ["/nope", "//api/v1/tree", "/api/v1/", "/api/v1/cl/ABCD1234/detail", "/lfs"] {
                let response = try await client.get(path)
                #expect(response.status == .notFound)
                #expect(String(buffer: response.body) == "Operation not supported")
            }
            let wrong = try await client.execute(uri: "/api/v1/tree", method: .delete) { $0 }
            #expect(wrong.status == .methodNotAllowed)
            #expect(wrong.headers[.allow] == "GET,HEAD")
            let double = try await client.get("/api/v1/tree/content-hash?path=/&path=/src")
            #expect(double.status == .badRequest)
            let head = try await client.execute(uri: "/api/v1/tree/content-hash", method: .head) { $0 }
            #expect(head.status == .ok)
            #expect(head.body.readableBytes == 0)
        }
    }

    @Test func repositoryWithoutACommit() async throws {
        try await serving(TestRepository(bare: true)) { (client) async throws in
            #expect(try await client.get("/api/v1/tree/content-hash?path=/").status == .internalServerError)
            #expect(try await client.get("/antares/v1/commits/HEAD").status == .notFound)
            #expect(try await client.get("/").status == .ok)
        }
    }

    @Test func newCommitsAreSeen() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            let before: [Item] = try await client.data("/api/v1/tree/content-hash")
            #expect(!before.contains { $0["name"] == "later" })
            try repository.write("later", "x")
            let id = try repository.commit("later")
            let after: [Item] = try await client.data("/api/v1/tree/content-hash")
            #expect(after.contains { $0["name"] == "later" })
            try repository.git(["gc", "-q", "--prune=now"])
            #expect(try await client.object("/antares/v1/commits/main")["commit"] as? String == id.hex)
            let blob = try await client.get("/api/v1/file/blob/\(try repository.id("HEAD:README"))")
            #expect(blob.status == .ok)
        }
    }
}
