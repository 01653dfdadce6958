import GitObjects
import Hummingbird
import NIOCore

/// How answers look on the wire.
enum Responses {
    static func bytes(_ buffer: ByteBuffer, type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: buffer))
    }

    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Self.bytes(ByteBuffer(string: text), type: "text/plain; charset=utf-8", status: status)
    }

    static func json(_ text: JSONText, status: HTTPResponse.Status = .ok) -> Response {
        Self.bytes(ByteBuffer(bytes: text.bytes), type: "application/json", status: status)
    }

    /// What the published server says to a path it does not know.
    static var unknownPath: Response { Self.text("Operation not supported", status: .notFound) }

    /// `{"req_result":true,"data":…,"err_message":""}`.
    static func envelope(_ data: (inout JSONText) -> Void) -> Response {
        var json = JSONText()
        json.raw(#"{"req_result":true,"data":"#)
        data(&json)
        json.raw(#","err_message":""}"#)
        return Self.json(json)
    }

    /// The envelope of a failure. As on the published server a 5xx does not say why.
    static func envelopeFailure(_ status: HTTPResponse.Status, _ message: String) -> Response {
        var json = JSONText()
        json.raw(#"{"req_result":false,"data":null,"err_message":"#)
        json.string(status.code >= 500 ? "Internal server error" : message)
        json.raw("}")
        return Self.json(json, status: status)
    }

    /// `{"error":{"code":…,"message":…}}`, for the extensions.
    static func failure(_ status: HTTPResponse.Status, code: String, _ message: String) -> Response {
        var json = JSONText()
        json.object([
            (
                "error",
                { error in
                    error.object([("code", { $0.string(code) }), ("message", { $0.string(message) })])
                }
            )
        ])
        return Self.json(json, status: status)
    }

    /// What a client is told: the whole story names paths of this machine and stands in the log.
    static func outline(of error: OriginError) -> String {
        switch error.code {
        case .timedOut: "git did not answer in time"
        case .busy: "too many requests are waiting"
        case .repositoryGone: "the repository is not there"
        case .objectDamaged: "an object cannot be read"
        case .tooLarge: "the answer would be too large"
        default: "git failed"
        }
    }

    /// Late, overloaded and gone are worth another try elsewhere or later; damage and a failing git are not.
    static func status(of error: OriginError) -> HTTPResponse.Status {
        switch error.code {
        case .timedOut, .busy, .repositoryGone: .serviceUnavailable
        default: .internalServerError
        }
    }
}

/// Caching headers of what is named by its content (RFC 9111, RFC 8246).
struct Validator {
    let tag: String

    init(_ id: ObjectID, variant: String = "") {
        self.tag = "\"\(id.hex)\(variant)\""
    }

    func apply(to headers: inout HTTPFields) {
        headers[.eTag] = self.tag
        headers[.cacheControl] = "public, max-age=31536000, immutable"
    }

    /// True when `If-None-Match` names what the client would get (RFC 9110 §13.1.2).
    func matches(_ headers: HTTPFields) -> Bool {
        guard let header = headers[.ifNoneMatch] else { return false }
        return header.split(separator: ",").contains { candidate in
            var tag = candidate.drop { $0 == " " || $0 == "\t" }
            while tag.last == " " || tag.last == "\t" { tag.removeLast() }
            return tag == "*" || tag == self.tag || tag == "W/\(self.tag)"
        }
    }

    var notModified: Response {
        var headers = HTTPFields()
        self.apply(to: &headers)
        var response = Response(status: .notModified, headers: headers)
        // It would say how long the body of the 200 is (RFC 9110 §8.6), and no body is not that.
        response.headers[.contentLength] = nil
        return response
    }
}
