import Foundation
import GitObjects
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Testing

@testable import OriginServer

/// Limits under which a test that waits for a deadline ends soon.
var shortLimits: OriginConfiguration.Limits {
    var limits = OriginConfiguration.Limits()
    limits.gitDeadline = .seconds(20)
    return limits
}

func makeOrigin(
    _ repository: TestRepository, strict: Bool = false, limits: OriginConfiguration.Limits = shortLimits,
    changelists: [String] = []
) throws -> Origin {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return try Origin(
        OriginConfiguration(
            repository: repository.path, strictMega: strict, limits: limits,
            changelists: try changelists.map { try #require(ChangelistRange(text: $0)) }), logger: logger)
}

typealias Client = any TestClientProtocol

/// Lets `body` talk to an origin, without a socket unless `live`.
func serving(_ origin: Origin, live: Bool = false, _ body: @Sendable (Client) async throws -> Void) async throws {
    try await origin.application().test(live ? .live : .router) { client in try await body(client) }
}

func serving(
    _ repository: TestRepository, strict: Bool = false, limits: OriginConfiguration.Limits = shortLimits,
    live: Bool = false, _ body: @Sendable (Client) async throws -> Void
) async throws {
    try await serving(try makeOrigin(repository, strict: strict, limits: limits), live: live, body)
}

/// What form encoding makes of a path: everything but unreserved characters and the slash is escaped.
func encode(_ bytes: [UInt8], keeping kept: String = "/") -> String {
    let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~\(kept)".utf8)
    return bytes.map { byte in
        plain.contains(byte) ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
}

extension TestClientProtocol {
    func get(_ uri: String, headers: HTTPFields = [:]) async throws -> TestResponse {
        try await self.execute(uri: uri, method: .get, headers: headers) { $0 }
    }

    /// The `data` of a successful envelope.
    func data<Value>(_ uri: String, as type: Value.Type = Value.self) async throws -> Value {
        let response = try await self.get(uri)
        #expect(response.status == .ok)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView)) as? [String: Any])
        #expect(object["req_result"] as? Bool == true)
        #expect(object["err_message"] as? String == "")
        return try #require(object["data"] as? Value)
    }

    func object(_ uri: String) async throws -> [String: Any] {
        let response = try await self.get(uri)
        #expect(response.status == .ok)
        return try #require(
            try JSONSerialization.jsonObject(with: Data(response.body.readableBytesView)) as? [String: Any])
    }

    /// The value of a counter, summed over its labels.
    func counter(_ name: String) async throws -> Int {
        let text = String(buffer: try await self.get("/metrics").body)
        return text.split(separator: "\n").filter { $0.hasPrefix(name) }
            .compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +)
    }

    /// Decodes an answer of frames; trees with the sizes of their entries.
    func frames(
        _ uri: String, method: HTTPRequest.Method = .get, ids: [ObjectID]? = nil
    ) async throws -> [Frame] {
        let body = ids.map { ByteBuffer(bytes: $0.flatMap(\.bytes)) }
        let response = try await self.execute(uri: uri, method: method, body: body) { $0 }
        #expect(response.status == .ok)
        #expect(response.headers[.contentType] == ObjectFrame.mediaType)
        return try Frame.decode(Array(response.body.readableBytesView))
    }
}

enum Frame: Equatable {
    case tree(ObjectID, [UInt8], [UInt64])
    case blob(ObjectID, [UInt8])
    case missing(ObjectID)

    /// Fails when the stream has no end.
    static func decode(_ stream: [UInt8]) throws -> [Frame] {
        var decoder = ObjectFrameDecoder()
        var frames: [Frame] = []
        var current: ObjectID?
        var content: [UInt8] = []
        try stream.withUnsafeBytes { bytes in
            var rest = bytes
            while let event = try decoder.next(&rest) {
                switch event {
                case .tree(let id, let payload, let sizes): frames.append(.tree(id, payload, sizes))
                case .blobBegan(let id, _):
                    current = id
                    content = []
                case .blobBytes(let bytes): content += bytes
                case .blobEnded: frames.append(.blob(try #require(current), content))
                case .missing(let id): frames.append(.missing(id))
                case .end, .treeBegan, .treeBytes, .treeSizes, .treeEnded: break
                }
            }
        }
        try #require(decoder.isComplete)
        return frames
    }
}
