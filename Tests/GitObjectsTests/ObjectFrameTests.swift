import GitHashing
import GitObjects
import Testing

@Suite struct ObjectFrameTests {
    enum Seen: Equatable {
        case tree(ObjectID, [UInt8], [UInt64])
        case blob(ObjectID, [UInt8])
        case missing(ObjectID)
        case end
    }

    /// Decodes the stream cut into chunks of `step` bytes.
    static func decode(
        _ stream: [UInt8], step: Int, treeLimit: UInt64 = 1 << 20, passesTrees: Bool = false
    ) throws -> (seen: [Seen], complete: Bool) {
        var decoder = ObjectFrameDecoder(treeLimit: treeLimit, blobLimit: 1 << 20, passesTrees: passesTrees)
        var seen: [Seen] = []
        var blob: (ObjectID, length: UInt64, bytes: [UInt8])?
        var passed: (ObjectID, length: UInt64, bytes: [UInt8], sizes: [UInt64])?
        for start in stride(from: 0, to: stream.count, by: step) {
            let chunk = Array(stream[start..<min(start + step, stream.count)])
            try chunk.withUnsafeBytes { buffer in
                var rest = buffer
                while let event = try decoder.next(&rest) {
                    switch event {
                    case .tree(let id, let payload, let sizes): seen.append(.tree(id, payload, sizes))
                    case .treeBegan(let id, let length): passed = (id, length, [], [])
                    case .treeBytes(let bytes): passed?.bytes += bytes
                    case .treeSizes(let sizes): passed?.sizes += sizes
                    case .treeEnded:
                        let done = try #require(passed)
                        #expect(done.length == UInt64(done.bytes.count))
                        seen.append(.tree(done.0, done.bytes, done.sizes))
                    case .blobBegan(let id, let length): blob = (id, length, [])
                    case .blobBytes(let bytes): blob?.bytes += bytes
                    case .blobEnded:
                        let done = try #require(blob)
                        #expect(done.length == UInt64(done.bytes.count))
                        seen.append(.blob(done.0, done.bytes))
                    case .missing(let id): seen.append(.missing(id))
                    case .end: seen.append(.end)
                    }
                }
                #expect(rest.isEmpty)
            }
        }
        return (seen, decoder.isComplete)
    }

    static let blob = Array("hello".utf8)
    static let blobID = ObjectID.hash(blob: blob)
    static let tree = TreeWriter.payload(of: [
        TreeEntry(mode: .regular, id: blobID, name: Array("f".utf8)),
        TreeEntry(mode: .directory, id: .emptyTreeSHA1, name: Array("d".utf8)),
    ])
    static let treeID = ObjectID.hash(tree: tree)
    static let wide = ObjectID.hash(blob: blob, kind: .sha256)

    static var stream: [UInt8] {
        var bytes: [UInt8] = []
        ObjectFrame.appendTree(to: &bytes, treeID, payload: tree, sizes: [ObjectFrame.noSize, 5])
        ObjectFrame.appendTree(to: &bytes, .emptyTreeSHA1, payload: [], sizes: [])
        ObjectFrame.appendMissing(to: &bytes, .emptyTreeSHA1)
        bytes += ObjectFrame.header(.blob, blobID, length: 5) + blob
        bytes += ObjectFrame.header(.blob, .emptyBlobSHA1, length: 0)
        bytes += ObjectFrame.header(.blob, wide, length: 5) + blob
        bytes += ObjectFrame.end
        return bytes
    }

    @Test(arguments: [1, 2, 3, 7, 29, 31, 64, 10_000])
    func roundTripInAnyChunks(step: Int) throws {
        let (seen, complete) = try Self.decode(Self.stream, step: step)
        #expect(complete)
        #expect(
            seen == [
                .tree(Self.treeID, Self.tree, [ObjectFrame.noSize, 5]), .tree(.emptyTreeSHA1, [], []),
                .missing(.emptyTreeSHA1), .blob(Self.blobID, Self.blob), .blob(.emptyBlobSHA1, []),
                .blob(Self.wide, Self.blob), .end,
            ])
    }

    @Test func everyTruncationIsIncomplete() throws {
        for length in 0..<Self.stream.count {
            let (seen, complete) = try Self.decode(Array(Self.stream.prefix(length)), step: 10_000)
            #expect(!complete)
            #expect(!seen.contains(.end))
        }
    }

    @Test func bytesAreTheDocumentedOnes() {
        #expect(ObjectFrame.end == [0x45, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        let header = ObjectFrame.header(.blob, Self.blobID, length: 0x0102)
        #expect(header == [0x42, 20] + Self.blobID.bytes + [2, 1, 0, 0, 0, 0, 0, 0])
    }

    static func failure(_ bytes: [UInt8], treeLimit: UInt64 = 1 << 20) -> ObjectFrameError? {
        do {
            _ = try Self.decode(bytes, step: 10_000, treeLimit: treeLimit)
            return nil
        } catch {
            return error as? ObjectFrameError
        }
    }

    @Test func refusals() {
        #expect(Self.failure([0x58, 20]) == .unknownKind(0x58))
        #expect(Self.failure([0x54, 21]) == .idLength(21))
        #expect(Self.failure([0x54, 0]) == .idLength(0))
        #expect(Self.failure([0x45, 20]) == .idLength(20))
        #expect(Self.failure(ObjectFrame.header(.missing, Self.blobID, length: 1)) == .unexpectedPayload)
        #expect(Self.failure([0x45, 0, 1, 0, 0, 0, 0, 0, 0, 0]) == .unexpectedPayload)
        #expect(Self.failure(ObjectFrame.end + [0]) == .trailingBytes)
        #expect(Self.failure(ObjectFrame.header(.tree, Self.treeID, length: .max)) == .treeTooLarge(.max))
        #expect(Self.failure(ObjectFrame.header(.tree, Self.treeID, length: 9), treeLimit: 8) == .treeTooLarge(9))
        #expect(Self.failure(ObjectFrame.header(.blob, Self.blobID, length: 1 << 21)) == .blobTooLarge(1 << 21))
        let counted =
            ObjectFrame.header(.tree, Self.treeID, length: UInt64(Self.tree.count)) + Self.tree + [3, 0, 0, 0]
        #expect(Self.failure(counted) == .entryCount(3))
    }

    @Test("Trees that pass through are the trees that are collected", arguments: [1, 3, 7, 1000])
    func passing(_ step: Int) throws {
        let collected = try Self.decode(Self.stream, step: 4096)
        let passed = try Self.decode(Self.stream, step: step, passesTrees: true)
        #expect(passed.seen == collected.seen)
        #expect(passed.complete)
    }

    @Test func staysFailed() {
        var decoder = ObjectFrameDecoder()
        for bytes: [UInt8] in [[0x58, 1], ObjectFrame.end] {
            bytes.withUnsafeBytes { buffer in
                var rest = buffer
                #expect(throws: ObjectFrameError.unknownKind(0x58)) { try decoder.next(&rest) }
            }
        }
        #expect(!decoder.isComplete)
    }
}
