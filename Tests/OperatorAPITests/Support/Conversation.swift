import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Supervision

@testable import OperatorAPI

/// Requests to a responder without a network, and their answers as JSON.
struct Conversation {
    struct Answer {
        let status: Int
        let headers: HTTPFields
        let text: String

        var json: Any {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) ?? NSNull()
        }

        func field(_ name: String) -> Any? {
            (json as? [String: Any])?[name]
        }
    }

    let service: FakeService
    var caller = Caller(uid: 1000, gid: 100, pid: 5)

    func send(
        _ method: String, _ path: String, _ body: String = "", headers: [(String, String)] = []
    ) async throws -> Answer {
        let responder = OperatorResponder(service: service, logger: quietLogger, version: "test")
        guard let method = HTTPRequest.Method(method) else { throw CancellationError() }
        var head = HTTPRequest(method: method, scheme: "http", authority: "x", path: path)
        for (name, value) in headers { head.headerFields[HTTPField.Name(name)!] = value }
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(string: body)))
        let response = await responder.respond(to: request, caller: caller)
        let collector = BodyCollector()
        try await response.body.write(collector)
        return Answer(status: response.status.code, headers: response.headers, text: collector.text)
    }
}
