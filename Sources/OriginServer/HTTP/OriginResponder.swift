import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Answers requests. Its own dispatch instead of a router: ids and revisions need the path as it came, and the published server's
/// answers to unknown paths and methods are part of what clients rely on.
struct OriginResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let store: ObjectStore
    let metrics: OriginMetrics
    let strict: Bool
    let changelists: [ChangelistRange]
    let logger: Logger

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        let target = RequestTarget(request.head.path ?? "/")
        let route = Route(target, extensions: !self.strict)
        var response: Response
        if route != .unknown && !route.methods.contains(request.method) {
            let allowed = route.methods.map(\.rawValue).joined(separator: ",")
            response = Response(status: .methodNotAllowed, headers: [.allow: allowed])
        } else {
            response = await self.answer(route, target, request)
        }
        if !self.strict, let name = HTTPField.Name(ExtensionRoutes.header.name) {
            response.headers[name] = ExtensionRoutes.header.value
        }
        if request.method == .head {
            response = response.createHeadResponse()
        }
        self.metrics.answered(route.label, method: request.method.rawValue, status: response.status.code)
        return response
    }

    private func answer(_ route: Route, _ target: RequestTarget, _ request: Request) async -> Response {
        do {
            return try await self.dispatch(route, target, request)
        } catch let error as OriginError {
            let status = Responses.status(of: error)
            self.logger.warning("\(route.label): \(error)", metadata: ["code": "\(error.code.rawValue)"])
            var response =
                route.usesEnvelope
                ? Responses.envelopeFailure(status, error.message)
                : Responses.failure(status, code: error.code.rawValue, Responses.outline(of: error))
            if status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
            return response
        } catch {
            // The client's doing: it went away, or broke off its request.
            self.logger.debug("\(route.label): \(error)")
            return Response(status: .badRequest)
        }
    }

    private func dispatch(_ route: Route, _ target: RequestTarget, _ request: Request) async throws -> Response {
        let extensions = ExtensionRoutes(store: self.store, metrics: self.metrics)
        let changelists = ChangelistRoutes(store: self.store, configured: self.changelists)
        let largeFiles = LFSRoutes(files: self.store.largeFiles, metrics: self.metrics)
        switch route {
        case .unknown: return Responses.unknownPath
        case .root: return Responses.text("antares-origin\n")
        case .metrics:
            return Responses.bytes(
                ByteBuffer(string: self.metrics.exposition(gitRestarts: self.store.restarts)),
                type: "text/plain; version=0.0.4; charset=utf-8")
        case .contentHash, .dirHash, .tree, .latestCommit, .fileTree:
            return try await MegaRoutes(store: self.store, listing: Listing(strict: self.strict)).respond(route, target)
        case .blob(let id):
            return try await BlobRoute(store: self.store, metrics: self.metrics, strict: self.strict).respond(
                id, request)
        case .filesList(let link): return try await changelists.filesList(link)
        case .updateStatus(let link): return try await changelists.updateStatus(link)
        case .capabilities: return extensions.capabilities()
        case .commit(let name): return try await extensions.commit(name)
        case .treeObject(let id): return try await extensions.tree(id, target, request)
        case .trees: return try await extensions.trees(request)
        case .blobs: return try await extensions.blobs(request)
        case .lfsBatch: return try await largeFiles.batch(request)
        case .lfsFile(let id): return try await largeFiles.file(id)
        case .changelist(let name): return try await changelists.complete(name)
        }
    }
}
