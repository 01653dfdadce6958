import GitObjects
import Hummingbird
import NIOCore

/// The content-addressed extensions under `/antares/v1`.
struct ExtensionRoutes: Sendable {
    let store: ObjectStore
    let metrics: OriginMetrics

    /// The version a client finds in this header of every answer.
    static let header = (name: "X-Antares-Extensions", value: "1")

    private static let offered = ["commit", "trees", "tree-stream", "blobs", "range", "changelists"]

    func capabilities() -> Response {
        var json = JSONText()
        json.object([
            ("version", { $0.raw("1") }),
            ("algorithm", { $0.string("sha1") }),
            ("extensions", { $0.array(Self.offered) { $0.string($1) } }),
        ])
        return Responses.json(json)
    }

    /// A revision by name: its commit, tree and time.
    func commit(_ name: [UInt8]) async throws -> Response {
        guard let text = String(validating: name, as: UTF8.self), let name = RevisionName(text) else {
            return Responses.failure(
                .badRequest, code: "malformed-revision",
                "a full commit id, HEAD, or the name of a tag or branch is needed")
        }
        guard let id = try await self.store.commitID(of: name.text), let commit = try await self.store.commit(id) else {
            return Responses.failure(.notFound, code: "not-found", "there is no commit \(name.text)")
        }
        var json = JSONText()
        json.object([
            ("commit", { $0.string(id.hex) }),
            ("tree", { $0.string(commit.tree.hex) }),
            ("time", { $0.raw(String(commit.time)) }),
        ])
        var response = Responses.json(json)
        if name.id == nil {
            response.headers[.cacheControl] = "no-cache"
        } else {
            Validator(id, variant: "-c").apply(to: &response.headers)
        }
        return response
    }

    /// One tree, or with `recursive=1` everything below it as well.
    func tree(_ text: [UInt8], _ target: RequestTarget, _ request: Request) async throws -> Response {
        guard let id = ObjectID(hex: text), id.kind == .sha1 else {
            return Responses.failure(.badRequest, code: "malformed-id", "a tree id of 40 hexadecimal digits is needed")
        }
        let recursive = (try? target.parameter("recursive")) == Array("1".utf8)
        let validator = Validator(id, variant: recursive ? "-r" : "")
        if validator.matches(request.headers) { return validator.notModified }

        var traversal = TreeTraversal(root: id)
        guard let root = traversal.next() else { return Responses.unknownPath }
        let batch = try await self.frames.batch(root)
        guard batch.count == 1 else {
            return Responses.failure(.notFound, code: "not-found", "there is no tree \(id)")
        }
        var headers: HTTPFields = [.contentType: ObjectFrame.mediaType]
        validator.apply(to: &headers)
        self.metrics.servedTrees(1)
        guard recursive else {
            var bytes = batch.bytes
            bytes.writeBytes(ObjectFrame.end)
            self.metrics.sent(bytes.readableBytes)
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: bytes))
        }
        traversal.found(batch)
        let start = traversal
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { [frames, metrics] writer in
                var traversal = start
                try await writer.write(batch.bytes)
                metrics.sent(batch.bytes.readableBytes)
                while let ids = traversal.next() {
                    let batch = try await frames.batch(ids)
                    traversal.found(batch)
                    try await writer.write(batch.bytes)
                    metrics.sent(batch.bytes.readableBytes)
                    metrics.servedTrees(batch.count)
                }
                try await writer.write(ByteBuffer(bytes: ObjectFrame.end))
                try await writer.finish(nil)
            })
    }

    /// Frames of the trees asked for, in that order.
    func trees(_ request: Request) async throws -> Response {
        let ids: [ObjectID]
        switch try await self.ids(request) {
        case .success(let list): ids = list
        case .failure(let refusal): return refusal.response
        }
        return Response(
            status: .ok, headers: [.contentType: ObjectFrame.mediaType],
            body: ResponseBody { [frames, metrics] writer in
                for start in stride(from: 0, to: ids.count, by: Self.treesAtOnce) {
                    let batch = try await frames.batch(Array(ids[start...].prefix(Self.treesAtOnce)))
                    try await writer.write(batch.bytes)
                    metrics.sent(batch.bytes.readableBytes)
                    metrics.servedTrees(batch.count)
                }
                try await writer.write(ByteBuffer(bytes: ObjectFrame.end))
                try await writer.finish(nil)
            })
    }

    /// Frames of the blobs asked for, in that order.
    func blobs(_ request: Request) async throws -> Response {
        let ids: [ObjectID]
        switch try await self.ids(request) {
        case .success(let list): ids = list
        case .failure(let refusal): return refusal.response
        }
        let sizes = try await self.store.checkedBlobSizes(ids)
        return Response(
            status: .ok, headers: [.contentType: ObjectFrame.mediaType],
            body: ResponseBody { [store, metrics] writer in
                for group in BlobGroups(ids: ids, sizes: sizes, whole: store.limits.wholeBlob) {
                    switch group {
                    case .missing(let id):
                        var bytes: [UInt8] = []
                        ObjectFrame.appendMissing(to: &bytes, id)
                        try await writer.write(ByteBuffer(bytes: bytes))
                    case .together(let blobs):
                        let bytes = try await store.blobs(blobs) { ObjectFrame.header(.blob, $0, length: $1) }
                        try await writer.write(bytes)
                        metrics.sent(bytes.readableBytes)
                        metrics.servedBlobs(blobs.count)
                    case .alone(let id, let size):
                        let stream = try store.stream(id, size: size, range: 0..<size)
                        defer { stream.cancel() }
                        try await writer.write(ByteBuffer(bytes: ObjectFrame.header(.blob, id, length: size)))
                        while let bytes = try await stream.next() {
                            try await writer.write(bytes)
                            metrics.sent(bytes.readableBytes)
                        }
                        metrics.servedBlobs(1)
                    }
                }
                try await writer.write(ByteBuffer(bytes: ObjectFrame.end))
                try await writer.finish(nil)
            })
    }

    private static let treesAtOnce = 64

    private var frames: TreeFrames { TreeFrames(store: self.store) }

    private struct Refusal: Error {
        let response: Response
    }

    /// The ids in the body of a request: 20 bytes each.
    private func ids(_ request: Request) async throws -> Result<[ObjectID], Refusal> {
        let limit = ObjectFrame.maximumIDsPerRequest * 20
        func refuse(_ status: HTTPResponse.Status, _ code: String, _ message: String) -> Result<[ObjectID], Refusal> {
            .failure(Refusal(response: Responses.failure(status, code: code, message)))
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            return refuse(
                .contentTooLarge, "too-many-ids", "at most \(ObjectFrame.maximumIDsPerRequest) ids are answered")
        }
        guard body.readableBytes.isMultiple(of: 20) else {
            return refuse(.badRequest, "malformed-ids", "the body has to be ids of 20 bytes each")
        }
        let bytes = body.readableBytesView
        return .success(
            stride(from: bytes.startIndex, to: bytes.endIndex, by: 20).compactMap {
                ObjectID(kind: .sha1, bytes: bytes[$0..<($0 + 20)])
            })
    }
}
