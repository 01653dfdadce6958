import FoundationEssentials
import HTTPTypes
import Hummingbird
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

    /// Never throws for what a client sent; throws what reading the connection throws.
    func respond(to request: Request, caller: Caller, overTCP: Bool = false) async throws -> Response {
        let began = ContinuousClock.now
        let route = Route(path: request.head.path ?? "")
        var response: Response
        do throws(SupervisorError) {
            response = try await answer(request, route, caller, overTCP: overTCP)
        } catch {
            response = Self.failure(error)
            let level: Logger.Level = response.status.kind == .serverError ? .warning : .debug
            logger.log(level: level, "request failed", metadata: ["error": "\(error)", "uid": "\(caller.uid)"])
        }
        logger.debug(
            "request",
            metadata: [
                "method": "\(request.method)", "route": "\(route?.pattern ?? "unknown")",
                "status": "\(response.status.code)", "uid": "\(caller.uid)", "pid": "\(caller.pid)",
                "duration": "\(ContinuousClock.now - began)",
            ])
        return response
    }

    private func answer(
        _ request: Request, _ route: Route?, _ caller: Caller, overTCP: Bool
    ) async throws(SupervisorError) -> Response {
        guard let route else {
            throw SupervisorError(.notFound, "no such route; see /health, /mounts")
        }
        switch (request.method, route) {
        case (.get, .health):
            return Self.json(.ok, HealthBody(health: await service.health(), version: version))
        case (.get, .mounts):
            return Self.json(.ok, MountListBody(await service.mounts()))
        case (.post, .mounts):
            return try await create(request, caller, overTCP: overTCP)
        case (.get, .mount(let id)):
            return Self.json(.ok, MountStatusBody(try await service.mount(mountID(id))))
        case (.get, .ready(let id)):
            return Self.json(.ok, ReadyBody(try await service.mount(mountID(id))))
        case (.get, .job(let job)):
            return Self.json(.ok, MountStatusBody(try await service.mount(job: job)))
        case (.delete, .mount(let id)):
            return try await remove(mountID(id))
        case (.delete, .job(let job)):
            return try await remove(service.mount(job: job).id)
        case (.post, .changelist), (.delete, .changelist):
            throw Self.noChangelists
        default:
            let allowed = route.methods.joined(separator: ", ")
            let error = SupervisorError(
                .invalidRequest, "\(request.method) is not allowed for \(route.pattern), but \(allowed)")
            var response = Self.failure(error, status: .methodNotAllowed)
            response.headers[.allow] = allowed
            return response
        }
    }

    private func create(
        _ request: Request, _ caller: Caller, overTCP: Bool
    ) async throws(SupervisorError) -> Response {
        if overTCP, let type = request.headers[.contentType], !type.lowercased().hasPrefix("application/json") {
            // The types that a page in a browser may send to any address without being asked for leave.
            throw SupervisorError(.badPayload, "content-type `\(type)`: send application/json")
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.maximumBody)
        } catch is NIOTooManyBytesError {
            throw SupervisorError(.badPayload, "the body is longer than \(Self.maximumBody) bytes")
        } catch {
            throw SupervisorError(.badPayload, "the body ended early", cause: "\(error)")
        }
        let decoded = try MountRequestBody.decode(body.readableBytesView)
        if decoded.hasChangelist { throw Self.noChangelists }
        // A task of its own: a client that goes away must not leave half a mount behind.
        let status = try await Self.finishing { [service] () async throws(SupervisorError) in
            try await service.create(decoded.request, caller: caller)
        }
        return Self.json(.ok, MountStatusBody(status))
    }

    private func remove(_ id: MountID) async throws(SupervisorError) -> Response {
        let status = try await Self.finishing { [service] () async throws(SupervisorError) in
            try await service.remove(id)
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

    private static let noChangelists = SupervisorError(.invalidRequest, "changelists are not served by this version")

    static func failure(_ error: SupervisorError, status: HTTPResponse.Status? = nil) -> Response {
        json(status ?? error.code.status, ErrorBody(error: error.message, code: error.code.rawValue))
    }

    private static func json(_ status: HTTPResponse.Status, _ body: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        guard let data = try? encoder.encode(body) else {
            return Response(status: .internalServerError)
        }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(data.count + 1)
        buffer.writeBytes(data)
        buffer.writeInteger(UInt8(ascii: "\n"))
        let headers: HTTPFields = [.contentType: "application/json", .contentLength: String(buffer.readableBytes)]
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: buffer))
    }
}
