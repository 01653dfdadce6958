import GitObjects
import Hummingbird
import NIOCore

/// `GET|HEAD /api/v1/file/blob/{oid}`.
struct BlobRoute: Sendable {
    let store: ObjectStore
    let metrics: OriginMetrics
    let strict: Bool

    func respond(_ text: [UInt8], _ request: Request) async throws -> Response {
        guard let id = ObjectID(hex: text) else {
            return Responses.envelopeFailure(.internalServerError, "malformed object id")
        }
        let size = id.kind == .sha1 ? try await self.store.checkedBlobSizes([id])[0] : nil
        guard let size else {
            return Responses.envelopeFailure(.notFound, "Not Found error: object \(id) [obj_missing]")
        }
        var headers: HTTPFields = [
            .contentType: "application/octet-stream",
            .contentDisposition: "inline; filename=\"\(id.hex)\"",
        ]
        var range = ByteRange.whole
        if !self.strict {
            let validator = Validator(id)
            if validator.matches(request.headers) { return validator.notModified }
            validator.apply(to: &headers)
            headers[.acceptRanges] = "bytes"
            let condition = request.headers[.ifRange]
            // A range is for GET only (RFC 9110 §14.2).
            if request.method == .get, condition == nil || condition == validator.tag {
                range = ByteRange(request.headers[.range], size: size)
            }
        }
        if request.method == .head {
            // The length comes from git's index; no content is read.
            headers[.contentLength] = String(size)
            return Response(status: .ok, headers: headers)
        }
        switch range {
        case .unsatisfiable:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(size)"])
        case .part(let part):
            headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"
            return Response(
                status: .partialContent, headers: headers, body: try await self.body(id, size: size, range: part))
        case .whole:
            return Response(status: .ok, headers: headers, body: try await self.body(id, size: size, range: 0..<size))
        }
    }

    private func body(_ id: ObjectID, size: UInt64, range: Range<UInt64>) async throws -> ResponseBody {
        if size <= self.store.limits.wholeBlob {
            let whole = try await self.store.blobs([(id, size)])
            let part = whole.getSlice(at: whole.readerIndex + Int(range.lowerBound), length: range.count) ?? whole
            self.metrics.servedBlobs(1)
            self.metrics.sent(part.readableBytes)
            return ResponseBody(byteBuffer: part)
        }
        let stream = try self.store.stream(id, size: size, range: range)
        // The head of the answer is not sent before git has given the first bytes: until then a failure has a status.
        let first = try await stream.next()
        self.metrics.servedBlobs(1)
        return ResponseBody(contentLength: Int(range.upperBound - range.lowerBound)) { [metrics] writer in
            defer { stream.cancel() }
            var chunk = first
            while let bytes = chunk {
                try await writer.write(bytes)
                metrics.sent(bytes.readableBytes)
                chunk = try await stream.next()
            }
            try await writer.finish(nil)
        }
    }
}
