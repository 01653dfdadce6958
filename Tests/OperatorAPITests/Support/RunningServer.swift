import Glibc
import LinuxSystem
import Logging
import Supervision

@testable import OperatorAPI

/// A server on a socket in a directory of its own.
struct RunningServer {
    let directory: String
    let service: FakeService
    var tcpPort: UInt16?
    var socket: String { directory + "/api.sock" }

    /// Serves while `body` runs, then stops; the socket must be gone afterwards.
    static func with<Result: Sendable>(
        limits: ConnectionLimits = ConnectionLimits(), listen: String? = nil, group: String? = nil,
        audit: Logger? = nil,
        configure: @Sendable (inout SupervisorConfiguration) -> Void = { _ in },
        _ body: @Sendable (RunningServer) async throws -> Result
    ) async throws -> Result {
        var running = RunningServer(directory: try temporaryDirectory(), service: FakeService())
        var configuration = SupervisorConfiguration()
        configuration.socket = running.socket
        configuration.listen = listen
        configuration.authentication = .none
        configuration.socketGroup = group
        configure(&configuration)
        let server = OperatorAPIServer(
            configuration: configuration, service: running.service, logger: quietLogger, limits: limits, audit: audit)
        let (serving, announce) = AsyncStream<Void>.makeStream()
        let run = Task {
            defer { announce.finish() }
            try await server.run { announce.finish() }
        }
        for await _ in serving {}
        running.tcpPort = server.tcpPort
        let directory = running.directory
        defer { removeDirectory(directory) }
        do {
            let result = try await body(running)
            await server.stop()
            try await run.value
            return result
        } catch {
            await server.stop()
            _ = try? await run.value
            throw error
        }
    }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func temporaryDirectory() throws -> String {
    let path = "/tmp/antares-api-\(getpid())-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    try Directory.create(path, mode: 0o700)
    return path
}

func removeDirectory(_ path: String) {
    guard let slash = path.lastIndex(of: "/"), let parent = try? Directory.open(String(path[..<slash])) else { return }
    try? TreeRemoval.remove(at: parent.raw, String(path[path.index(after: slash)...]))
}
