import CacheProtocol
import GitObjects
import Testing
import WireFormat

@Suite struct MessageTests {
    private let id = ObjectID.emptyBlobSHA1

    @Test func requestsComeBack() throws {
        let requests: [WorkerRequest] = [
            .hello(oldest: 1, newest: 3), .directory(id), .stat(directory: id, index: 9),
            .open(id, expectedSize: 1 << 33), .cancel(id: .max), .provide(id),
            .ahead(AheadRange(directory: id, wanted: .directories, first: 70_000, count: 32)),
        ]
        for request in requests {
            var reader = WireReader(request.encode().bytes)
            #expect(try WorkerRequest(operation: request.operation, from: &reader) == request)
            var longer = WireReader(request.encode().bytes + [0])
            #expect(throws: WireError.trailingBytes) {
                try WorkerRequest(operation: request.operation, from: &longer)
            }
            var shorter = WireReader(request.encode().bytes.dropLast())
            #expect(throws: WireError.truncated) { try WorkerRequest(operation: request.operation, from: &shorter) }
        }
    }

    @Test func repliesComeBack() throws {
        let replies: [(CacheOperation, WorkerReply)] = [
            (.hello, .hello(version: 1)), (.directory, .directory([1, 2])), (.directory, .directoryFile(size: 70_000)),
            (.stat, .stat(mode: 0o100755, size: 5)), (.open, .blob([])), (.open, .blob([0, 1])),
            (.open, .blobFile(size: 1 << 35)), (.provide, .provided), (.provide, .large(size: 1 << 36)),
            (.ahead, .ahead(AheadAnswer(directory: id, wanted: .contents, next: nil, items: []))),
            (.ahead, .ahead(Self.ahead)),
        ]
        for (operation, reply) in replies {
            var reader = WireReader(reply.encode().bytes)
            #expect(try WorkerReply(operation: operation, from: &reader) == reply)
        }
        #expect(WorkerReply.blobFile(size: 1).descriptorCount == 1)
        #expect(WorkerReply.blob([]).descriptorCount == 0)
        #expect(WorkerReply.ahead(Self.ahead).descriptorCount == 2)
    }

    private static let ahead = AheadAnswer(
        directory: .emptyTreeSHA1, wanted: .contents, next: 7,
        items: [
            .init(index: 1, content: .file(size: 9)), .init(index: 4, content: .directory([1, 2])),
            .init(index: 5, content: .file(size: 1 << 40)),
        ])

    @Test func moreThanFitsIsNotAskedForAhead() {
        let range = AheadRange(directory: id, wanted: .contents, first: 0, count: AheadRange.longest + 1)
        var reader = WireReader(WorkerRequest.ahead(range).encode().bytes)
        #expect(throws: WireError.invalid("number of entries")) {
            try WorkerRequest(operation: .ahead, from: &reader)
        }
    }

    @Test func eachSocketTakesOnlyItsOwnOperations() {
        for operation in CacheOperation.allCases where operation.isControl {
            var reader = WireReader([])
            #expect(throws: WireError.self) { try WorkerRequest(operation: operation, from: &reader) }
        }
    }

    @Test func errorsComeBackAndFit() throws {
        for code in CacheError.Code.allCases {
            let error = CacheError(code, "what, where, what to do")
            var reader = WireReader(error.encode().bytes)
            #expect(try CacheError(from: &reader) == error)
        }
        var reader = WireReader(CacheError(.corrupt, String(repeating: "x", count: 100_000)).encode().bytes)
        #expect(try CacheError(from: &reader).message.count == 4096)
        var unknown = WireReader([0xFF, 0xFF, 0, 0, 0, 0])
        #expect(throws: WireError.invalid("error code")) { try CacheError(from: &unknown) }
    }

    @Test func versionsAgreeOrNot() {
        #expect(CacheProtocolVersion.agreed(oldest: 1, newest: 5) == CacheProtocolVersion.newest)
        #expect(CacheProtocolVersion.agreed(oldest: 90, newest: 99) == nil)
        #expect(CacheProtocolVersion.agreed(oldest: 0, newest: 0) == nil)
    }
}
