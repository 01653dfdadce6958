import HTTPTypes
import Hummingbird
import JSONWriting
import LinuxSystem
import NIOCore
import Supervision

/// `GET /events`: the events as a stream that the server sends (WHATWG HTML, server-sent events).
///
/// `?after=ID` or the header `Last-Event-ID` says where to go on, 0 for all that is kept; without either it begins now. With
/// `?follow=false` the answer ends with the newest event. An agent gets the events of its own mounts.
enum EventStream {
    static let type = "text/event-stream"
    /// Clients at a time.
    static let maximumClients = 256
    /// Silence after which a comment is sent: writing is how a client that is gone is noticed.
    static let keepAlive: Duration = .seconds(15)

    static func response(to request: Request, _ events: EventLog, _ caller: Caller) throws(SupervisorError) -> Response
    {
        let known = ["after", "follow"]
        for (name, _) in Query.items(of: request.head.path ?? "") where !known.contains(name) {
            throw SupervisorError(
                .invalidRequest, "unknown parameter `\(name)`; known are \(known.joined(separator: ", "))")
        }
        let query = request.uri.queryParameters
        var after: UInt64?
        if let text = query["after"].map(String.init) ?? request.headers[lastEventID] {
            guard let number = UInt64(text) else {
                throw SupervisorError(.invalidRequest, "`\(text)` is no id of an event")
            }
            after = number
        }
        let follow: Bool
        switch query["follow"].map(String.init) {
        case nil, "true": follow = true
        case "false": follow = false
        case let text?: throw SupervisorError(.invalidRequest, "follow takes true or false, not `\(text)`")
        }
        guard follow else {
            return Response(
                status: .ok, headers: headers, body: ResponseBody(byteBuffer: kept(events, after ?? 0, caller)))
        }
        guard events.subscriberCount < maximumClients else {
            throw SupervisorError(
                .overloaded, "\(maximumClients) clients follow the events already; ask with follow=false",
                retryAfter: 10)
        }
        let subscription = events.subscribe(after: after)
        let body = ResponseBody { writer in
            let ticker = Task {
                while true {
                    try await Pause.sleep(for: keepAlive)
                    subscription.nudge()
                }
            }
            defer { ticker.cancel() }
            // At once, so that the client knows that it is served.
            try await writer.write(ByteBuffer(string: ": events\n\n"))
            for await batch in subscription {
                if let part = encode(batch, for: caller) { try await writer.write(part) }
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private static let lastEventID = HTTPField.Name("Last-Event-ID")!
    private static let headers: HTTPFields = [.contentType: type, .cacheControl: "no-store"]

    private static func kept(_ events: EventLog, _ after: UInt64, _ caller: Caller) -> ByteBuffer {
        var buffer = ByteBuffer()
        var position = after
        while true {
            let batch = events.events(after: position)
            guard let last = batch.events.last else { return buffer }
            if var encoded = encode(batch, for: caller) { buffer.writeBuffer(&encoded) }
            position = last.id
        }
    }

    /// Nil if nothing of it is for the caller. A batch without events is a sign of life, for everybody.
    static func encode(_ batch: EventLog.Batch, for caller: Caller) -> ByteBuffer? {
        let seen = batch.events.filter(caller.sees)
        if seen.isEmpty, !batch.events.isEmpty, !batch.isGapBefore { return nil }
        var buffer = ByteBuffer()
        if batch.isGapBefore { buffer.writeString("event: gap\ndata: {\"kind\":\"gap\"}\n\n") }
        if batch.events.isEmpty { buffer.writeString(":\n\n") }
        for event in seen {
            guard let data = try? JSONText.bytes(of: EventBody(event: event)) else { continue }
            buffer.writeString("id: \(event.id)\nevent: \(event.kind.rawValue)\ndata: ")
            buffer.writeBytes(data)
            buffer.writeString("\n\n")
        }
        return buffer
    }
}
