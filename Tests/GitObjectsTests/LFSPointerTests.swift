import GitHashing
import GitObjects
import Testing

@Suite struct LFSPointerTests {
    private static let digits = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"

    private static func text(
        version: String = "version https://git-lfs.github.com/spec/v1", object: String = "oid sha256:\(digits)",
        size: String = "size 12345", end: String = "\n"
    ) -> [UInt8] {
        Array("\(version)\n\(object)\n\(size)\(end)".utf8)
    }

    @Test func aPointerNamesContentsAndTheirSize() throws {
        let pointer = try #require(LFSPointer(Self.text()))
        #expect(pointer.id.kind == .lfs)
        #expect(pointer.id.hex == Self.digits)
        #expect(pointer.size == 12345)
    }

    @Test(arguments: ["0", "9", "9223372036854775807"]) func everySizeThatAFileCanHave(_ size: String) throws {
        let text = Self.text(size: "size \(size)")
        #expect(LFSPointer(text)?.size == UInt64(size))
        #expect(LFSPointer.sizes.contains(UInt64(text.count)))
    }

    @Test(arguments: [
        text(version: "version https://git-lfs.github.com/spec/v2"),
        text(version: "version https://hawser.github.com/spec/v1"),
        text(object: "oid sha256:\(digits.uppercased())"), text(object: "oid sha256:\(digits.dropLast())"),
        text(object: "oid sha1:\(digits)"), text(object: "ext-0-x sha256:\(digits)\noid sha256:\(digits)"),
        text(size: "size -1"), text(size: "size 012"), text(size: "size "), text(size: "size 1 "),
        text(size: "size 9223372036854775808"), text(size: "size 99999999999999999999"),
        text(end: ""), text(end: "\n\n"), text(end: "\r\n"), [], [UInt8](repeating: 0, count: 130),
    ])
    func anythingElseIsAFileLikeAnyOther(_ text: [UInt8]) {
        #expect(LFSPointer(text) == nil)
    }

    /// sha256sum(1) gives the same.
    @Test func theIDIsTheDigestOfTheContentsAlone() {
        let contents = Array("hello\n".utf8)
        let id = contents.withUnsafeBytes { ObjectID.hash(.blob, $0, kind: .lfs) }
        #expect(id.hex == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
        #expect(id != contents.withUnsafeBytes { ObjectID.hash(.blob, $0, kind: .sha256) })
    }
}
