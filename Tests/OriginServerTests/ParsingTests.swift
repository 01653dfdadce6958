import GitObjects
import Testing

@testable import OriginServer

@Suite struct ParsingTests {
    @Test(arguments: [
        ("a", "path=a"), ("a b", "path=a+b"), ("a b", "path=a%20b"), ("a+b", "path=a%2Bb"), ("%zz", "path=%zz"),
        ("%", "path=%"),
        ("%4", "path=%4"), ("a=b", "path=a=b"), ("", "path="), ("", "path"), ("x", "other=1&path=x"),
        ("x", "pa%74h=x&&"),
    ])
    func formDecoding(value: String, query: String) throws {
        #expect(try RequestTarget("/p?\(query)").parameter("path") == Array(value.utf8))
    }

    @Test func absentAndDouble() throws {
        #expect(try RequestTarget("/p").parameter("path") == nil)
        #expect(try RequestTarget("/p?paths=x").parameter("path") == nil)
        #expect(throws: RequestTarget.Duplicate.self) { try RequestTarget("/p?path=a&path=a").parameter("path") }
    }

    @Test func pathsKeepPlusSigns() {
        #expect(RequestTarget("/x/a+b%2Fc").remainder(after: "/x/") == Array("a+b/c".utf8))
        #expect(RequestTarget("/y/a").remainder(after: "/x/") == nil)
    }

    @Test(
        arguments: [
            (nil, ByteRange.whole), ("bytes=0-9", .part(0..<10)), ("bytes=0-10", .part(0..<10)),
            ("bytes=9-9", .part(9..<10)),
            ("bytes=9-", .part(9..<10)), ("bytes=10-", .unsatisfiable), ("bytes=-1", .part(9..<10)),
            ("bytes=-0", .unsatisfiable),
            ("bytes=-11", .part(0..<10)), ("bytes=1-0", .whole), ("bytes=+1-2", .whole), ("bytes= 1-2", .whole),
            ("bytes=1-2-3", .whole),
            ("bytes=99999999999999999999-", .whole), ("bytes=0-18446744073709551615", .part(0..<10)),
            ("octets=0-1", .whole),
        ] as [(String?, ByteRange)])
    func rangeOfTen(header: String?, range: ByteRange) {
        #expect(ByteRange(header, size: 10) == range)
    }

    @Test func rangeOfNothing() {
        #expect(ByteRange("bytes=0-", size: 0) == .unsatisfiable)
        #expect(ByteRange("bytes=-5", size: 0) == .unsatisfiable)
        #expect(ByteRange(nil, size: 0) == .whole)
    }

    @Test func jsonText() {
        var json = JSONText()
        json.string(Array("q\" b\\ n\n t\t \u{1} ä".utf8) + [0xff])
        #expect(String(decoding: json.bytes, as: UTF8.self) == #""q\" b\\ n\n t\t \u0001 ä"# + "\u{fffd}\"")
    }

    @Test func recentCacheIsBounded() {
        let cache = RecentCache<Int, String>(capacity: 10) { _ in 1 }
        for key in 0..<100 {
            cache.insert("\(key)", for: key)
            // Used again and again, so kept.
            #expect(cache[0] == "0")
        }
        #expect(cache[99] == "99")
        #expect((0..<100).filter { cache[$0] != nil }.count <= 10)
        let narrow = RecentCache<Int, String>(capacity: 10) { $0.count }
        narrow.insert(String(repeating: "x", count: 6), for: 1)
        #expect(narrow[1] == nil)
    }

    @Test func blobGroupsKeepTheOrder() throws {
        let ids = try (0..<6).map {
            try #require(ObjectID(kind: .sha1, bytes: [UInt8](repeating: UInt8($0), count: 20)))
        }
        let groups = BlobGroups(ids: ids, sizes: [1, 2, nil, 100, 10, 11], whole: 10).map { group in
            switch group {
            case .missing(let id): "missing \(id.bytes[0])"
            case .together(let blobs): "together \(blobs.map { $0.id.bytes[0] })"
            case .alone(let id, let size): "alone \(id.bytes[0]) \(size)"
            }
        }
        #expect(groups == ["together [0, 1]", "missing 2", "alone 3 100", "together [4]", "alone 5 11"])
    }
}
