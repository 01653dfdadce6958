import CacheProtocol
import GitObjects
import Testing

@Suite struct ObjectFileNameTests {
    @Test(arguments: [ObjectID.Kind.sha1, .sha256, .lfs]) func anObjectHasOneName(_ kind: ObjectID.Kind) throws {
        let id = try #require(ObjectID(kind: kind, bytes: (0..<UInt8(kind.byteCount)).map { $0 &* 37 &+ 171 }))
        let path = ObjectFileName.path(of: id)
        #expect(path.hasPrefix("ab/"))
        let name = Array(path.utf8.dropFirst(3))
        #expect(ObjectFileName.object(0xAB, name) == id)
        #expect(ObjectFileName.object(0xAC, name) != id)
        #expect(ObjectFileName.object(0xAB, String(decoding: name, as: UTF8.self).uppercased().utf8) == nil)
        #expect(ObjectFileName.object(0xAB, name.dropLast()) == nil)
        #expect(ObjectFileName.object(0xAB, name + [0x30]) == nil)
    }

    @Test func theSameDigitsAreDifferentFilesInDifferentSpaces() throws {
        let bytes = [UInt8](repeating: 7, count: 32)
        let (git, lfs) = try (
            #require(ObjectID(kind: .sha256, bytes: bytes)), #require(ObjectID(kind: .lfs, bytes: bytes))
        )
        #expect(ObjectFileName.path(of: git) != ObjectFileName.path(of: lfs))
    }

    @Test func aLFSNameWithTheDigitsOfSHA1IsNone() {
        #expect(ObjectFileName.object(1, Array((String(repeating: "0", count: 38) + "-lfs").utf8)) == nil)
        #expect(ObjectFileName.object(1, []) == nil)
    }
}
