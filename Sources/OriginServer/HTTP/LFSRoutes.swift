import FoundationEssentials
import GitObjects
import Hummingbird
import NIOCore
import NIOPosix

/// Git LFS's API for downloads (git-lfs, docs/api/batch.md, docs/api/basic-transfers.md), from where git-lfs(1) keeps files: `lfs/objects/ab/cd/…`
/// in the repository.
struct LFSRoutes: Sendable {
    let files: LFSFiles
    let metrics: OriginMetrics

    private static let mediaType = "application/vnd.git-lfs+json"
    private static let bodyLimit = 1 << 20
    private static let objectLimit = 1000
    private static let chunk = 256 << 10

    private struct Question: Decodable {
        struct Object: Decodable {
            var oid: String
            var size: UInt64
        }
        var operation: String
        var transfers: [String]?
        var objects: [Object]
        var hash: String?

        enum CodingKeys: String, CodingKey {
            case operation, transfers, objects
            case hash = "hash_algo"
        }
    }

    /// Where the files asked for can be had.
    func batch(_ request: Request) async throws -> Response {
        guard let body = try? await request.body.collect(upTo: Self.bodyLimit) else {
            return failure(.contentTooLarge, "the question is longer than \(Self.bodyLimit) bytes")
        }
        guard let question = try? JSONDecoder().decode(Question.self, from: Data(body.readableBytesView)),
            question.objects.count <= Self.objectLimit
        else {
            return failure(.unprocessableContent, "a question with at most \(Self.objectLimit) objects is needed")
        }
        guard question.operation == "download" else { return failure(.forbidden, "files can only be downloaded here") }
        guard question.transfers?.contains("basic") ?? true, question.hash ?? "sha256" == "sha256" else {
            return failure(.unprocessableContent, "only the transfer `basic` and the hash `sha256` are offered")
        }
        let here = await files.sizes(of: question.objects.map { Self.id($0.oid) })
        let base = address(request)
        var json = JSONText()
        json.object([
            ("transfer", { $0.string("basic") }),
            (
                "objects",
                {
                    $0.array(zip(question.objects, here)) { json, pair in
                        Self.write(pair.0, size: pair.1, base, &json)
                    }
                }
            ),
            ("hash_algo", { $0.string("sha256") }),
        ])
        return Responses.bytes(ByteBuffer(bytes: json.bytes), type: Self.mediaType)
    }

    private static func write(_ object: Question.Object, size: UInt64?, _ base: String, _ json: inout JSONText) {
        var members: [(String, (inout JSONText) -> Void)] = [
            ("oid", { $0.string(object.oid) }), ("size", { $0.raw("\(size ?? object.size)") }),
        ]
        if size == nil {
            members.append(
                (
                    "error",
                    { $0.object([("code", { $0.raw("404") }), ("message", { $0.string("there is no such file") })]) }
                ))
        } else {
            let address = "\(base)/info/lfs/objects/\(object.oid)"
            members.append(
                (
                    "actions",
                    { $0.object([("download", { $0.object([("href", { $0.string(address) })]) })]) }
                ))
        }
        json.object(members)
    }

    /// The contents of one file.
    func file(_ text: [UInt8]) async throws -> Response {
        guard let id = Self.id(String(decoding: text, as: UTF8.self)) else {
            return failure(.unprocessableContent, "an id of 64 hexadecimal digits is needed")
        }
        guard let file = await files.open(id) else { return failure(.notFound, "there is no file \(id)") }
        metrics.servedBlobs(1)
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(contentLength: Int(file.size)) { [metrics] writer in
                var offset: UInt64 = 0
                while offset < file.size {
                    let bytes = try await file.read(at: offset, count: min(UInt64(Self.chunk), file.size - offset))
                    try await writer.write(bytes)
                    metrics.sent(bytes.readableBytes)
                    offset += UInt64(bytes.readableBytes)
                }
                try await writer.finish(nil)
            })
    }

    private static func id(_ text: String) -> ObjectID? {
        guard let hash = ObjectID(hex: text), hash.kind == .sha256 else { return nil }
        return ObjectID(kind: .lfs, bytes: hash.bytes)
    }

    /// As the client has reached us.
    private func address(_ request: Request) -> String {
        "http://\(request.head.authority ?? "localhost")"
    }

    private func failure(_ status: HTTPResponse.Status, _ message: String) -> Response {
        var json = JSONText()
        json.object([("message", { $0.string(message) })])
        return Responses.bytes(ByteBuffer(bytes: json.bytes), type: Self.mediaType, status: status)
    }
}
