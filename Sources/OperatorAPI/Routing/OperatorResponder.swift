import FoundationEssentials
import HTTPTypes
import Hummingbird
import JSONWriting
import Logging
import NIOCore
import Supervision

/// Answers requests by calling the service: routes, bodies and errors; no state of its own.
struct OperatorResponder: Sendable {
    /// Bytes of a request's body.
    static let maximumBody = 64 * 1024

    let service: any MountService
    let logger: Logger
    let version: String
    /// Gets a line for each call that changes something or looks into a job's files.
    var audit: Logger?
    /// What `GET /logs` shows.
    var ring: LogRing?
    /// The configuration in force as `GET /config` shows it.
    var configuration: @Sendable () -> String = { "" }
    /// What takes longer is said.
    var slow: @Sendable () -> Duration = { .seconds(5) }

    /// Every request gets an answer.
    func respond(to request: Request, caller: Caller, overTCP: Bool = false) async -> Response {
        let began = ContinuousClock.now
        let route = Route(path: request.head.path ?? "")
        var response: Response
        do throws(SupervisorError) {
            response = try await answer(Self.withoutHead(request, route), route, caller, overTCP: overTCP)
        } catch {
            response = Self.failure(error)
            let level: Logger.Level = response.status.kind == .serverError ? .warning : .debug
            logger.log(level: level, "request failed", metadata: ["error": "\(error)", "uid": "\(caller.uid)"])
        }
        // Whoever asked with HEAD takes what would follow for the next answer (RFC 9110 §9.3.2).
        if request.method == .head { response = response.createHeadResponse() }
        note(request, route, caller, response, ContinuousClock.now - began)
        logger.debug(
            "request",
            metadata: [
                "method": "\(request.method)", "route": "\(route?.pattern ?? "unknown")",
                "status": "\(response.status.code)", "uid": "\(caller.uid)", "pid": "\(caller.pid)",
                "duration": "\(ContinuousClock.now - began)",
            ])
        return response
    }

    /// HEAD is answered as GET, but for the stream of events, which has no end.
    private static func withoutHead(_ request: Request, _ route: Route?) -> Request {
        guard request.method == .head, route != .events else { return request }
        var head = request.head
        head.method = .get
        return Request(head: head, body: request.body)
    }

    private func answer(
        _ request: Request, _ route: Route?, _ caller: Caller, overTCP: Bool
    ) async throws(SupervisorError) -> Response {
        if let expectation = Expectation.unmet(in: request.headers[values: .expect]) {
            let error = SupervisorError(.invalidRequest, "Expect `\(expectation)`: only \(Expectation.goOn) is met")
            return Self.failure(error, status: .expectationFailed)
        }
        guard let route else {
            throw SupervisorError(.notFound, "no such route; see /openapi.json")
        }
        guard AccessRules.allow(caller.role, request.method, route) else {
            throw SupervisorError(
                .forbidden, "\(request.method) \(route.pattern) is not for the role \(caller.role.rawValue)")
        }
        switch (request.method, route) {
        case (.get, .health):
            let good = (request.head.path ?? "").hasPrefix("/antares/") ? "healthy" : "ok"
            return Self.json(.ok, HealthBody(health: await service.health(), version: version, good: good))
        case (.get, .status):
            return Self.json(.ok, StatusBody(await service.status(), version: version))
        case (.get, .workers):
            return Self.json(.ok, WorkersBody(await service.status().processes))
        case (.get, .logs):
            return Self.json(.ok, try LogsBody(ring, path: request.head.path ?? ""))
        case (.get, .configuration):
            return Self.text(configuration(), type: "application/toml; charset=utf-8")
        case (.get, .openAPI):
            return Self.raw(.ok, OpenAPIDocument.json.utf8)
        case (_, .legacy(let path)):
            throw LegacyRoutes.error(path)
        case (.get, .cache):
            return Self.raw(.ok, try await service.cacheStatus().utf8)
        case (.post, .cacheCollection), (.post, .cacheVerification), (.post, .cachePrefetch):
            return try await maintain(request, route, caller)
        case (.get, .metrics):
            return Self.text(await service.metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
        case (.get, .events):
            return try EventStream.response(to: request, service.events, caller)
        case (.get, .mounts):
            return Self.json(.ok, MountListBody(await service.mounts().filter(caller.owns)))
        case (.post, .mounts):
            return try await create(request, caller, overTCP: overTCP)
        case (.get, .mount(let id)):
            return Self.json(.ok, MountStatusBody(try await mount(id, caller)))
        case (.get, .ready(let id)):
            return Self.json(.ok, ReadyBody(try await mount(id, caller)))
        case (.get, .diff(let id)):
            let limit = try DifferenceBody.limit(path: request.head.path ?? "")
            let found = try await mount(id, caller)
            return Self.json(.ok, DifferenceBody(found, try await service.changes(found.id), limit: limit))
        case (.get, .job(let job)):
            return Self.json(.ok, MountStatusBody(try await mount(job: job, caller)))
        case (.delete, .mount(let id)):
            return try await remove(mount(id, caller).id, request, caller)
        case (.delete, .job(let job)):
            return try await remove(mount(job: job, caller).id, request, caller)
        case (.post, .renew(let id)):
            let body = try await Self.body(of: request)
            let timeToLive = try RenewalBody.timeToLive(body.readableBytesView)
            let id = try await mount(id, caller).id
            return Self.json(.ok, MountStatusBody(try await service.renew(id, timeToLive: timeToLive)))
        case (.post, .drain):
            await service.drain(true)
            return Self.json(.ok, ["draining": true])
        case (.delete, .drain):
            await service.drain(false)
            return Self.json(.ok, ["draining": false])
        case (.post, .reset(let id)):
            return try await reset(mount(id, caller).id)
        case (.post, .changelist(let id)), (.delete, .changelist(let id)):
            return try await exchange(mount(id, caller).id, request)
        default:
            let allowed = route.methods.joined(separator: ", ")
            let error = SupervisorError(
                .invalidRequest, "\(request.method) is not allowed for \(route.pattern), but \(allowed)")
            var response = Self.failure(error, status: .methodNotAllowed)
            response.headers[.allow] = allowed
            return response
        }
    }

    /// Somebody else's mount is as one that there is not.
    private func mount(_ id: String, _ caller: Caller) async throws(SupervisorError) -> MountStatus {
        let id = try mountID(id)
        let found = try await service.mount(id)
        guard caller.owns(found) else { throw SupervisorError(.notFound, "there is no mount \(id)") }
        return found
    }

    private func mount(job: String, _ caller: Caller) async throws(SupervisorError) -> MountStatus {
        let found = try await service.mount(job: job)
        guard caller.owns(found) else { throw SupervisorError(.notFound, "there is no mount of job \(job)") }
        return found
    }

    /// Begins what the cache does on demand.
    private func maintain(
        _ request: Request, _ route: Route, _ caller: Caller
    ) async throws(SupervisorError) -> Response {
        guard caller.isAuthenticated else {
            throw SupervisorError(
                .forbidden, "\(route.pattern) is served on the unix socket, and over TCP with a token")
        }
        if route == .cacheVerification {
            return Self.json(.accepted, VerificationBody(sweep: try await service.verifyCache()))
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.maximumBody)
        } catch {
            throw SupervisorError(.badPayload, "the body cannot be read", cause: "\(error)")
        }
        if route == .cachePrefetch {
            let wanted = try StrictBody.decode(
                PrefetchBody.self, from: body.readableBytesView, known: PrefetchBody.fields,
                like: "{\"rev\": \"HEAD\", \"path\": \"/\", \"contents\": true}")
            return Self.json(.accepted, PrefetchingBody(try await service.prefetchCache(wanted.request)))
        }
        var collection = CollectionBody(targetBytes: nil)
        if body.readableBytes > 0 {
            collection = try StrictBody.decode(
                CollectionBody.self, from: body.readableBytesView, known: ["target_bytes"],
                like: "{\"target_bytes\": 1000000}")
        }
        try await service.collectCache(target: collection.targetBytes)
        return Self.json(.accepted, collection)
    }

    private func create(
        _ request: Request, _ caller: Caller, overTCP: Bool
    ) async throws(SupervisorError) -> Response {
        if overTCP, let type = request.headers[.contentType], !type.lowercased().hasPrefix("application/json") {
            // The types that a page in a browser may send to any address without being asked for leave.
            throw SupervisorError(.badPayload, "content-type `\(type)`: send application/json")
        }
        let body = try await Self.body(of: request)
        let decoded = try MountRequestBody.decode(body.readableBytesView)
        guard caller.mayActFor(uid: decoded.request.uid, gid: decoded.request.gid) else {
            throw SupervisorError(.forbidden, "an agent may ask for its own uid \(caller.uid) and its own groups only")
        }
        if Self.prefersAsynchronous(request) {
            return Self.accepted(try await service.begin(decoded.request, caller: caller))
        }
        // A task of its own: a client that goes away must not leave half a mount behind.
        let status = try await Self.finishing { [service] () async throws(SupervisorError) in
            try await service.create(decoded.request, caller: caller)
        }
        var response = Self.json(.ok, MountStatusBody(status))
        response.headers[.contentLocation] = "/mounts/\(status.id)"
        return response
    }

    private static func body(of request: Request) async throws(SupervisorError) -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: Self.maximumBody)
        } catch is NIOTooManyBytesError {
            throw SupervisorError(.badPayload, "the body is longer than \(Self.maximumBody) bytes")
        } catch {
            throw SupervisorError(.badPayload, "the body ended early", cause: "\(error)")
        }
    }

    private func remove(
        _ id: MountID, _ request: Request, _ caller: Caller
    ) async throws(SupervisorError) -> Response {
        let body = try await Self.body(of: request)
        let options = try UnmountOptionsBody.options(body.readableBytesView, path: request.head.path ?? "")
        if Self.prefersAsynchronous(request) {
            let status = try await service.mount(id)
            Task.detached { [service] in try? await service.remove(id, options, caller: caller) }
            return Self.accepted(status)
        }
        let status = try await Self.finishing { [service] () async throws(SupervisorError) in
            try await service.remove(id, options, caller: caller)
        }
        return Self.json(.ok, MountStatusBody(status))
    }

    /// `Prefer: respond-async` (RFC 7240 §4.1): the answer is 202 at once, and the mount is asked for later, or its events are followed.
    private static func prefersAsynchronous(_ request: Request) -> Bool {
        request.headers[values: prefer].contains { value in
            value.split(separator: ",").contains { $0.filter { $0 != " " }.lowercased() == "respond-async" }
        }
    }

    private static func accepted(_ status: MountStatus) -> Response {
        var response = json(.accepted, MountStatusBody(status))
        response.headers[.location] = "/mounts/\(status.id)"
        response.headers[preferenceApplied] = "respond-async"
        return response
    }

    private static let prefer = HTTPField.Name("Prefer")!
    private static let preferenceApplied = HTTPField.Name("Preference-Applied")!

    private func reset(_ id: MountID) async throws(SupervisorError) -> Response {
        let status = try await Self.finishing { [service] () async throws(SupervisorError) in
            try await service.reset(id)
        }
        return Self.json(.ok, MountStatusBody(status))
    }

    private func exchange(_ id: MountID, _ request: Request) async throws(SupervisorError) -> Response {
        let body = try await Self.body(of: request).readableBytesView
        let wanted =
            try request.method == .post
            ? SwitchBody.setting(body) : SwitchBody.clearing(body, path: request.head.path ?? "")
        if Self.prefersAsynchronous(request) {
            return Self.accepted(try await service.beginExchange(id, wanted))
        }
        let status = try await Self.finishing { [service] () async throws(SupervisorError) in
            try await service.exchange(id, wanted)
        }
        return Self.json(.ok, MountStatusBody(status))
    }

    private static func finishing(
        _ body: @escaping @Sendable () async throws(SupervisorError) -> MountStatus
    ) async throws(SupervisorError) -> MountStatus {
        try await Task.detached { () async -> Result<MountStatus, SupervisorError> in
            do throws(SupervisorError) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }.value.get()
    }

    private func mountID(_ text: String) throws(SupervisorError) -> MountID {
        if let id = MountID(rawValue: text) { return id }
        throw SupervisorError(
            .invalidRequest, "`\(text)` is no mount id; a job is asked for at /mounts/by-job/{job_id}")
    }

    static func failure(_ error: SupervisorError, status: HTTPResponse.Status? = nil) -> Response {
        var response = json(
            status ?? error.code.status, ErrorBody(error: error.message, code: error.code.rawValue))
        if let seconds = error.retryAfter { response.headers[.retryAfter] = "\(seconds)" }
        if error.code == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }

    private static func text(_ text: String, type: String) -> Response {
        let buffer = ByteBuffer(string: text)
        return Response(
            status: .ok, headers: [.contentType: type, .contentLength: String(buffer.readableBytes)],
            body: ResponseBody(byteBuffer: buffer))
    }

    private static func json(_ status: HTTPResponse.Status, _ body: some Encodable) -> Response {
        guard let bytes = try? JSONText.bytes(of: body) else {
            return Response(status: .internalServerError)
        }
        return raw(status, bytes)
    }

    /// JSON that is text already.
    private static func raw(_ status: HTTPResponse.Status, _ json: some Collection<UInt8>) -> Response {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(json.count + 1)
        buffer.writeBytes(json)
        buffer.writeInteger(UInt8(ascii: "\n"))
        let headers: HTTPFields = [.contentType: "application/json", .contentLength: String(buffer.readableBytes)]
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: buffer))
    }
}
