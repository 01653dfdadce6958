import Glibc
import HTTPTypes
import HummingbirdCore
import LinuxSystem
public import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
public import Supervision

/// Serves the API on the unix socket and, if configured, over TCP.
public final class OperatorAPIServer: Sendable {
    /// The version that `GET /health` tells.
    public static let version = "0.1.0"
    /// Connections at a time, on each address; further ones wait in the kernel's queue.
    static let maximumConnections = 512

    private enum Phase {
        case idle
        case running(ServiceGroup)
        case stopping
    }

    private let configuration: SupervisorConfiguration
    private let responder: OperatorResponder
    private let logger: Logger
    private let limits: ConnectionLimits
    private let phase = Guarded(Phase.idle)
    private let boundPort = Guarded<UInt16?>(nil)

    /// The TCP port that is served, once it is; for a configured port of 0 the one that the kernel chose.
    var tcpPort: UInt16? {
        boundPort.with { $0 }
    }

    public convenience init(configuration: SupervisorConfiguration, service: any MountService, logger: Logger) {
        self.init(configuration: configuration, service: service, logger: logger, limits: ConnectionLimits())
    }

    init(
        configuration: SupervisorConfiguration, service: any MountService, logger: Logger, limits: ConnectionLimits
    ) {
        self.configuration = configuration
        self.logger = logger
        self.limits = limits
        responder = OperatorResponder(service: service, logger: logger, version: Self.version)
    }

    /// Throws `.addressInUse` if a living process serves the configured socket; says which. Cheap: call it before anything else is
    /// started.
    public static func checkSocket(_ configuration: SupervisorConfiguration) throws(OperatorAPIError) {
        try SocketFile.claim(configuration.socket)
    }

    /// Serves until `stop` is called, then until the requests in progress are answered. `onServing` is called once, when every
    /// address accepts connections.
    public func run(onServing: @escaping @Sendable () async -> Void = {}) async throws(OperatorAPIError) {
        try SocketFile.claim(configuration.socket)
        let socket = try socketFile()
        let tcp = try tcpAddress()
        let bound = Guarded((missing: tcp == nil ? 1 : 2, failure: OperatorAPIError?.none))
        let announce: @Sendable () async -> Void = {
            let isLast = bound.with { state in
                state.missing -= 1
                return state.missing == 0
            }
            if isLast { await onServing() }
        }
        var services = [
            try service(.unixDomainSocket(path: socket.bindPath), overTCP: false) { [self] _ in
                do throws(SystemError) {
                    try socket.publish()
                } catch {
                    bound.with { $0.failure = OperatorAPIError(.system, "\(self.configuration.socket): \(error)") }
                    await stop()
                    return
                }
                await announce()
            }
        ]
        if let tcp {
            let overTCP = try service(tcp, overTCP: true) { [boundPort] channel in
                boundPort.with { $0 = channel.localAddress?.port.map { UInt16($0) } }
                await announce()
            }
            services.append(overTCP)
        }
        defer { socket.remove() }
        try await serve(services)
        if let failure = bound.with({ $0.failure }) { throw failure }
    }

    /// Accepts no more connections and lets `run` return once the requests in progress are answered.
    public func stop() async {
        let group = phase.with { phase -> ServiceGroup? in
            defer { phase = .stopping }
            if case .running(let group) = phase { return group }
            return nil
        }
        await group?.triggerGracefulShutdown()
    }

    private func serve(_ services: [any Service]) async throws(OperatorAPIError) {
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .warning)
        var group = ServiceGroupConfiguration(
            services: services.map {
                .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
            }, logger: quiet)
        group.maximumGracefulShutdownDuration = .seconds(30)
        let running = ServiceGroup(configuration: group)
        let mayRun = phase.with { phase -> Bool in
            if case .stopping = phase { return false }
            phase = .running(running)
            return true
        }
        guard mayRun else { return }
        do {
            try await running.run()
        } catch let error as IOError {
            let code: OperatorAPIError.Code = error.errnoCode == EADDRINUSE ? .addressInUse : .system
            throw OperatorAPIError(code, "cannot listen on \(configuration.listen ?? configuration.socket): \(error)")
        } catch {
            throw OperatorAPIError(.system, "cannot serve the API: \(error)")
        }
    }

    private func service(
        _ address: BindAddress, overTCP: Bool, onBound: @escaping @Sendable (any Channel) async -> Void
    ) throws(OperatorAPIError) -> any Service {
        let limits = limits
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionTimer(limits: limits)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 100))
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .notice)
        let server = ServerConfiguration(
            address: address, availableConnectionsDelegate: .maximum(Self.maximumConnections, logger: quiet))
        do {
            return try HTTPServerBuilder.http1(configuration: channel).buildServer(
                configuration: server, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet,
                responder: { [responder] request, writer, channel in
                    let caller = overTCP ? PeerCredentials.nobody : await PeerCredentials.caller(of: channel)
                    let response = try await responder.respond(to: request, caller: caller, overTCP: overTCP)
                    try await writer.write(response: response.head, body: response.body)
                },
                onServerRunning: onBound)
        } catch {
            throw OperatorAPIError(.system, "cannot serve the API: \(error)")
        }
    }

    private func socketFile() throws(OperatorAPIError) -> SocketFile {
        var group: UInt32?
        if let name = configuration.socketGroup {
            group = Accounts.group(name)
            if group == nil { throw OperatorAPIError(.configuration, "socket_group: there is no group `\(name)`") }
        }
        do throws(SystemError) {
            return try SocketFile(path: configuration.socket, group: group)
        } catch {
            throw OperatorAPIError(.system, "cannot make the socket \(configuration.socket): \(error)")
        }
    }

    private func tcpAddress() throws(OperatorAPIError) -> BindAddress? {
        guard let listen = configuration.listen else { return nil }
        guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]) else {
            throw OperatorAPIError(.configuration, "listen: `\(listen)` is not HOST:PORT")
        }
        let host = String(listen[..<colon].filter { $0 != "[" && $0 != "]" })
        return .hostname(host, port: port)
    }
}
