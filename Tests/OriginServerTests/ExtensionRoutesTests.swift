import Foundation
import GitHashing
import GitObjects
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import OriginServer

@Suite struct ExtensionRoutesTests {
    @Test func capabilitiesAreAdvertised() async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            let response = try await client.get("/antares/v1/capabilities")
            #expect(
                String(buffer: response.body)
                    == #"{"version":1,"algorithm":"sha1","extensions":["commit","trees","tree-stream","blobs","range","changelists"]}"#
            )
            for path in ["/", "/nope", "/api/v1/tree", "/api/v1/file/blob/x", "/antares/v1/capabilities"] {
                let headers = try await client.get(path).headers
                #expect(headers.first { $0.name.canonicalName == "x-antares-extensions" }?.value == "1")
            }
        }
    }

    @Test func commitsByName() async throws {
        let repository = try TestRepository.furnished()
        let first = try repository.id("HEAD^")
        let second = try repository.id("HEAD")
        let tag = try repository.id("refs/tags/v1")
        try await serving(repository) { (client) async throws in
            for (name, id) in [
                ("HEAD", second), ("main", second), ("refs/heads/main", second), ("heads%2fmain", second),
                ("v1", first),
                ("light", first), ("side%2Fbranch", first), ("side/branch", first), (first.hex, first),
                (tag.hex, first),
            ] {
                let commit = try await client.object("/antares/v1/commits/\(name)")
                #expect(commit["commit"] as? String == id.hex, "\(name)")
                #expect(commit["tree"] as? String == (try repository.id("\(id)^{tree}").hex))
                #expect(commit["time"] as? Int == 1_700_000_100)
            }
            for name in ["nope", String(repeating: "0", count: 40), try repository.id("HEAD^{tree}").hex, "refs/tags"] {
                let response = try await client.get("/antares/v1/commits/\(name)")
                #expect(response.status == .notFound, "\(name)")
                #expect(response.headers[.contentType] == "application/json")
            }
            for name in [
                "", "-v", "--all", "a..b", "HEAD~1", "HEAD%5E", "HEAD%40%7B1%7D", "%3A%2Ffix", "HEAD:src", "a%20b",
                "a%0Ab", "a%00b", "%FF", "a//b", ".hidden", "x.lock", "main*",
            ] {
                #expect(try await client.get("/antares/v1/commits/\(name)").status == .badRequest, "\(name)")
            }
        }
    }

    @Test func oneTree() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            let id = try repository.id("HEAD^{tree}")
            let frames = try await client.frames("/antares/v1/trees/\(id)")
            guard case .tree(id, let payload, let sizes) = frames.first, frames.count == 1 else {
                Issue.record("not one tree frame")
                return
            }
            #expect(ObjectID.hash(tree: payload) == id)
            let entries = try TreeParser.entries(of: payload)
            #expect(entries.contains { $0.name == TestRepository.notUTF8 })
            #expect(sizes.count == entries.count)
            for (entry, size) in zip(entries, sizes) {
                let expected =
                    entry.mode.hasBlob
                    ? UInt64(try repository.text("cat-file", "-s", entry.id.hex)) : ObjectFrame.noSize
                #expect(size == expected)
            }
        }
    }

    @Test func wholeTreeEachOnceBreadthFirst() async throws {
        let repository = try TestRepository.furnished()
        // The same directory at several places.
        for place in ["a", "b", "src/c"] { try repository.write("\(place)/same/file", "twin") }
        try repository.commit("twins")
        let root = try repository.id("HEAD^{tree}")
        let listed = try repository.text("ls-tree", "-r", "-t", "-d", "--format=%(objectname)", "HEAD")
        let expected = Set(try listed.split(separator: "\n").map { try #require(ObjectID(hex: $0)) } + [root])
        try await serving(repository) { (client) async throws in
            let frames = try await client.frames("/antares/v1/trees/\(root)?recursive=1")
            var ids: [ObjectID] = []
            for frame in frames {
                guard case .tree(let id, let payload, _) = frame else {
                    Issue.record("not a tree")
                    continue
                }
                #expect(ObjectID.hash(tree: payload) == id)
                ids.append(id)
            }
            #expect(ids.first == root)
            #expect(Set(ids) == expected)
            #expect(ids.count == expected.count)
        }
    }

    @Test func manyTrees() async throws {
        let repository = try TestRepository()
        for index in 0..<700 { try repository.write("d\(index % 30)/e\(index)/f", "\(index)") }
        try repository.commit("many")
        let root = try repository.id("HEAD^{tree}")
        try await serving(repository) { (client) async throws in
            let frames = try await client.frames("/antares/v1/trees/\(root)?recursive=1")
            #expect(frames.count == 1 + 30 + 700)
            let ids = frames.compactMap { frame in if case .tree(let id, _, _) = frame { id } else { nil } }
            let again = try await client.frames("/antares/v1/trees", method: .post, ids: ids.reversed())
            #expect(again == frames.reversed())
        }
    }

    @Test func treesInTheOrderAsked() async throws {
        let repository = try TestRepository.furnished()
        let source = try repository.id("HEAD:src")
        let tools = try repository.id("HEAD:bin")
        let absent = try #require(ObjectID(hex: String(repeating: "ab", count: 20)))
        let blob = try repository.id("HEAD:README")
        try await serving(repository) { (client) async throws in
            let frames = try await client.frames(
                "/antares/v1/trees", method: .post, ids: [tools, absent, source, blob, tools])
            let ids = frames.map { frame in
                switch frame {
                case .tree(let id, _, _): "tree \(id)"
                case .missing(let id): "missing \(id)"
                case .blob(let id, _): "blob \(id)"
                }
            }
            #expect(
                ids == ["tree \(tools)", "missing \(absent)", "tree \(source)", "missing \(blob)", "tree \(tools)"])
            #expect(try await client.frames("/antares/v1/trees", method: .post, ids: []).isEmpty)
        }
    }

    @Test func blobsInTheOrderAsked() async throws {
        let repository = try TestRepository()
        let contents = [
            Data("small".utf8), Data(), Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 9) }),
            Data(repeating: 5, count: 900_000),
        ]
        for (index, content) in contents.enumerated() { try repository.write(Array("f\(index)".utf8), content) }
        try repository.commit("blobs")
        let ids = try contents.indices.map { try repository.id("HEAD:f\($0)") }
        let absent = try #require(ObjectID(hex: String(repeating: "ab", count: 20)))
        let tree = try repository.id("HEAD^{tree}")
        try await serving(repository) { (client) async throws in
            let asked = [ids[2], absent, ids[0], ids[1], tree, ids[3], ids[0], ids[2]]
            let frames = try await client.frames("/antares/v1/blobs", method: .post, ids: asked)
            #expect(
                frames == [
                    .blob(ids[2], Array(contents[2])), .missing(absent), .blob(ids[0], Array(contents[0])),
                    .blob(ids[1], []), .missing(tree), .blob(ids[3], Array(contents[3])),
                    .blob(ids[0], Array(contents[0])), .blob(ids[2], Array(contents[2])),
                ])
            #expect(try await client.counter("antares_origin_blobs_served_total") == 6)
        }
    }

    @Test func requestBodiesAreBounded() async throws {
        try await serving(TestRepository.furnished()) { (client) async throws in
            for path in ["/antares/v1/trees", "/antares/v1/blobs"] {
                func post(_ count: Int) async throws -> HTTPResponse.Status {
                    try await client.execute(uri: path, method: .post, body: ByteBuffer(repeating: 1, count: count)) {
                        $0.status
                    }
                }
                #expect(try await post(19) == .badRequest)
                #expect(try await post(ObjectFrame.maximumIDsPerRequest * 20) == .ok)
                #expect(try await post(ObjectFrame.maximumIDsPerRequest * 20 + 20) == .contentTooLarge)
                #expect(try await client.get(path).status == .methodNotAllowed)
            }
        }
    }

    @Test func treeFailures() async throws {
        let repository = try TestRepository.furnished()
        try await serving(repository) { (client) async throws in
            for id in [
                String(repeating: "ab", count: 20), try repository.id("HEAD").hex, try repository.id("HEAD:README").hex,
            ] {
                #expect(try await client.get("/antares/v1/trees/\(id)").status == .notFound)
                #expect(try await client.get("/antares/v1/trees/\(id)?recursive=1").status == .notFound)
            }
            for id in ["x", String(repeating: "ab", count: 32)] {
                #expect(try await client.get("/antares/v1/trees/\(id)").status == .badRequest)
            }
        }
    }

    @Test func ranges() async throws {
        let repository = try TestRepository()
        let large = Data((0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 13 ^ $0 >> 7) })
        try repository.write(Array("large".utf8), large)
        try repository.write("small", "0123456789")
        try repository.commit("ranges")
        try await serving(repository) { (client) async throws in
            for (name, content) in [("small", Data("0123456789".utf8)), ("large", large)] {
                let uri = "/api/v1/file/blob/\(try repository.id("HEAD:\(name)"))"
                let size = content.count
                for (range, part) in [
                    ("0-0", 0..<1), ("2-5", 2..<6), ("3-", 3..<size), ("-4", (size - 4)..<size),
                    ("0-99999999", 0..<size),
                    ("-99999999", 0..<size), ("\(size - 1)-", (size - 1)..<size),
                ] {
                    let response = try await client.get(uri, headers: [.range: "bytes=\(range)"])
                    #expect(response.status == .partialContent)
                    #expect(Data(response.body.readableBytesView) == content[part], "\(name) \(range)")
                    #expect(
                        response.headers[.contentRange] == "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)")
                    #expect(response.headers[.contentLength] == String(part.count))
                }
                for range in ["\(size)-", "-0"] {
                    let response = try await client.get(uri, headers: [.range: "bytes=\(range)"])
                    #expect(response.status == .rangeNotSatisfiable)
                    #expect(response.headers[.contentRange] == "bytes */\(size)")
                }
                for range in ["bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=", "bytes=-"] {
                    let response = try await client.get(uri, headers: [.range: range])
                    #expect(response.status == .ok)
                    #expect(response.body.readableBytes == size)
                }
            }
        }
    }

    @Test func validators() async throws {
        let repository = try TestRepository.furnished()
        let blob = try repository.id("HEAD:README")
        let tree = try repository.id("HEAD:src")
        try await serving(repository) { (client) async throws in
            for (uri, tag) in [
                ("/api/v1/file/blob/\(blob)", "\"\(blob)\""), ("/antares/v1/trees/\(tree)", "\"\(tree)\""),
                ("/antares/v1/trees/\(tree)?recursive=1", "\"\(tree)-r\""),
            ] {
                let response = try await client.get(uri)
                #expect(response.headers[.eTag] == tag)
                #expect(response.headers[.cacheControl] == "public, max-age=31536000, immutable")
                for condition in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                    let again = try await client.get(uri, headers: [.ifNoneMatch: condition])
                    #expect(again.status == .notModified)
                    #expect(again.headers[.eTag] == tag)
                    #expect(again.body.readableBytes == 0)
                }
                #expect(try await client.get(uri, headers: [.ifNoneMatch: "\"x\""]).status == .ok)
            }
            let uri = "/api/v1/file/blob/\(blob)"
            let matching = try await client.get(uri, headers: [.range: "bytes=0-1", .ifRange: "\"\(blob)\""])
            #expect(matching.status == .partialContent)
            let other = try await client.get(uri, headers: [.range: "bytes=0-1", .ifRange: "\"x\""])
            #expect(other.status == .ok)
            #expect(try await client.get("/antares/v1/commits/main").headers[.cacheControl] == "no-cache")
        }
    }

    @Test func repeatedListingsAskGitOnce() async throws {
        let repository = try TestRepository.furnished()
        let origin = try makeOrigin(repository)
        let tree = try repository.id("HEAD^{tree}")
        try await serving(origin) { (client) async throws in
            let first = try await client.frames("/antares/v1/trees/\(tree)")
            // Every process that could answer is gone, and with the repository no other can be started.
            try FileManager.default.removeItem(atPath: repository.path)
            #expect(try await client.frames("/antares/v1/trees/\(tree)") == first)
        }
    }
}
