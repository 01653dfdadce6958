import Foundation
import GitHashing
import GitObjects
import Testing

@Suite struct HashingTests {
    @Test func knownIDs() {
        #expect(ObjectID.hash(blob: []) == .emptyBlobSHA1)
        #expect(ObjectID.emptyBlobSHA1.hex == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        #expect(ObjectID.hash(tree: []) == .emptyTreeSHA1)
        #expect(ObjectID.emptyTreeSHA1.hex == "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
        #expect(
            ObjectID.hash(blob: [], kind: .sha256).hex
                == "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813")
        #expect(
            ObjectID.hash(tree: [], kind: .sha256).hex
                == "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321")
    }

    @Test func plainDigests() {
        #expect(
            ObjectID(kind: .sha1, bytes: SHA1.digest(Array("abc".utf8)))?.hex
                == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            ObjectID(kind: .sha256, bytes: SHA256.digest(Array("abc".utf8)))?.hex
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(SHA256.digest([]).count == 32)
    }

    @Test(arguments: [0, 1, 63, 64, 65, 4096, 100_003])
    func agreesWithGit(size: Int) throws {
        let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        let expected = try Self.gitHashObject(content)
        #expect(ObjectID.hash(blob: content).hex == expected)

        var hasher = ObjectHasher(kind: .sha1, type: .blob, size: UInt64(size))
        for start in stride(from: 0, to: size, by: 1000) {
            hasher.update(Array(content[start..<min(start + 1000, size)]))
        }
        #expect(hasher.finish().hex == expected)
    }

    @Test func wrongSizeGivesAnotherID() {
        var hasher = ObjectHasher(kind: .sha1, type: .blob, size: 4)
        hasher.update(Array("abc".utf8))
        #expect(hasher.finish() != ObjectID.hash(blob: Array("abc".utf8)))
    }

    @Test func spanAndPointerAgree() {
        let content = Array("some bytes".utf8)
        var bySpan = ObjectHasher(kind: .sha256, type: .blob, size: UInt64(content.count))
        bySpan.update(content.span.bytes)
        #expect(bySpan.finish() == ObjectID.hash(blob: content, kind: .sha256))
    }

    static func gitHashObject(_ content: [UInt8]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "hash-object", "--stdin"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(content))
        try input.fileHandleForWriting.close()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
