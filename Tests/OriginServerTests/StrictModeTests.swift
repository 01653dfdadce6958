import Foundation
import GitHashing
import GitObjects
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import OriginServer

@Suite struct StrictModeTests {
    typealias Item = [String: String]

    @Test func noExtensions() async throws {
        let repository = try TestRepository.furnished()
        let blob = try repository.id("HEAD:README")
        let tree = try repository.id("HEAD:src")
        try await serving(repository, strict: true) { (client) async throws in
            for path in ["/antares/v1/capabilities", "/antares/v1/commits/HEAD", "/antares/v1/trees/\(tree)"] {
                let response = try await client.get(path)
                #expect(response.status == .notFound)
                #expect(String(buffer: response.body) == "Operation not supported")
            }
            let response = try await client.get(
                "/api/v1/file/blob/\(blob)", headers: [.range: "bytes=0-0", .ifNoneMatch: "*"])
            #expect(response.status == .ok)
            #expect(String(buffer: response.body) == "hello again\n")
            for name in [HTTPField.Name.eTag, .cacheControl, .acceptRanges, .contentRange] {
                #expect(response.headers[name] == nil)
            }
            #expect(!response.headers.contains { $0.name.canonicalName.hasPrefix("x-antares") })
            #expect(try await client.get("/metrics").status == .ok)
        }
    }

    @Test func treeIDsAreStableButDoNotVerify() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository, strict: true) { (client) async throws in
            let items: [Item] = try await client.data("/api/v1/tree/content-hash?path=/")
            let again: [Item] = try await client.data("/api/v1/tree/dir-hash?path=/src")
            let oid = try #require(items.first { $0["name"] == "src" }?["oid"])
            #expect(again.map { $0["oid"] } == [oid])
            #expect(oid != (try repository.id("HEAD:src").hex))
            #expect(ObjectID(hex: oid)?.kind == .sha1)
            #expect(items.first { $0["name"] == "README" }?["oid"] == (try repository.id("HEAD:README").hex))

            let raw = try await client.get("/api/v1/file/tree?path=/src&oid=\(oid)").body
            #expect(ObjectID.hash(tree: Array(raw.readableBytesView)).hex != oid)
            let entries = try TreeParser.entries(of: Array(raw.readableBytesView))
            let listed: [Item] = try await client.data("/api/v1/tree/content-hash?path=/src")
            #expect(Set(entries.map(\.id.hex)) == Set(listed.compactMap { $0["oid"] }))
            let real = try await client.get("/api/v1/file/tree?path=/src&oid=\(try repository.id("HEAD:src"))")
            #expect(real.body.readableBytes == 0)
        }
    }

    @Test func modesAreWrittenAnew() async throws {
        let repository = try TestRepository()
        let blob = try repository.git(["hash-object", "-w", "--stdin"], input: Data("x".utf8))
        let id = try #require(ObjectID(hex: String(decoding: blob, as: UTF8.self).trimmingCharacters(in: .newlines)))
        // An old mode that Git normalises when it reads.
        let payload = Array("100664 file".utf8) + [0] + id.bytes
        let tree = try repository.git(
            ["hash-object", "-t", "tree", "-w", "--stdin", "--literally"], input: Data(payload))
        let name = String(decoding: tree, as: UTF8.self).trimmingCharacters(in: .newlines)
        let commit = try repository.text("commit-tree", "-m", "old mode", name)
        try repository.git(["update-ref", "refs/heads/main", commit])
        for (strict, mode) in [(true, "100644"), (false, "100664")] {
            try await serving(repository, strict: strict) { (client) async throws in
                let body = try await client.get("/api/v1/file/tree?path=/").body
                #expect(Array(body.readableBytesView) == Array("\(mode) file".utf8) + [0] + id.bytes)
            }
        }
    }
}
