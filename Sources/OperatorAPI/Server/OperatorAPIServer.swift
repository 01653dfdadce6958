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
    public static let version = ServiceVersion.current
    /// Connections of an address besides those that wait for their client: what is being served is not given up for a new one. Further
    /// ones wait in the kernel's queue.
    static let maximumServed = 512

    private enum Phase {
        case idle
        case running(ServiceGroup)
        case stopping
    }

    private let configuration: SupervisorConfiguration
    private let responder: OperatorResponder
    private let logger: Logger
    private let limits: ConnectionLimits
    private let refusals: RefusalLog
    private let phase = Guarded(Phase.idle)
    private let slow: Guarded<Duration>
    private let gate = Guarded<Gatekeeper?>(nil)
    private let identity = Guarded<TLSIdentity?>(nil)
    private let socket = Guarded<SocketFile?>(nil)
    private let boundPort = Guarded<UInt16?>(nil)

    /// The TCP port that is served, once it is; for a configured port of 0 the one that the kernel chose.
    var tcpPort: UInt16? {
        boundPort.with { $0 }
    }

    /// `audit` gets a line for each call that changes something; `ring` is what `GET /logs` shows, `inForce` what `GET /config` does.
    public convenience init(
        configuration: SupervisorConfiguration, service: any MountService, logger: Logger, audit: Logger? = nil,
        ring: LogRing? = nil, inForce: @escaping @Sendable () -> String = { "" }
    ) {
        self.init(
            configuration: configuration, service: service, logger: logger, limits: ConnectionLimits(), audit: audit,
            ring: ring, inForce: inForce)
    }

    init(
        configuration: SupervisorConfiguration, service: any MountService, logger: Logger, limits: ConnectionLimits,
        audit: Logger? = nil, ring: LogRing? = nil, inForce: @escaping @Sendable () -> String = { "" }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.limits = limits
        refusals = RefusalLog(audit)
        slow = Guarded(configuration.slowRequest)
        responder = OperatorResponder(
            service: service, logger: logger, version: Self.version, audit: audit, ring: ring,
            configuration: inForce, slow: { [slow] in slow.with { $0 } })
    }

    /// Throws all that would keep the API from being served, a line each: groups, tokens, certificate. Nothing is kept: it is for before
    /// anything else is started.
    public static func check(_ configuration: SupervisorConfiguration) throws(OperatorAPIError) {
        var problems: [String] = []
        func attempt(_ part: (SupervisorConfiguration) throws(OperatorAPIError) -> Void) {
            do throws(OperatorAPIError) {
                try part(configuration)
            } catch {
                problems.append(error.message)
            }
        }
        attempt { (configuration) throws(OperatorAPIError) in _ = try policy(configuration) }
        attempt { (configuration) throws(OperatorAPIError) in _ = try network(configuration) }
        attempt { (configuration) throws(OperatorAPIError) in _ = try TLSIdentity(configuration) }
        if !problems.isEmpty { throw OperatorAPIError(.configuration, problems.joined(separator: "\n")) }
    }

    /// Serves until `stop` is called, then until the requests in progress are answered. `onServing` is called once, when every
    /// address accepts connections.
    public func run(onServing: @escaping @Sendable () async -> Void = {}) async throws(OperatorAPIError) {
        try SocketFile.claim(configuration.socket)
        let gatekeeper = try Self.gatekeeper(configuration)
        gate.with { $0 = gatekeeper }
        let identity = try TLSIdentity(configuration)
        self.identity.with { $0 = identity }
        let socket = try socketFile(Self.policy(configuration))
        self.socket.with { $0 = socket }
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
            try service(.unixDomainSocket(path: socket.bindPath), gatekeeper, nil, overTCP: false) { [self] _ in
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
            let overTCP = try service(tcp, gatekeeper, identity, overTCP: true) { [boundPort] channel in
                boundPort.with { $0 = channel.localAddress?.port.map { UInt16($0) } }
                await announce()
            }
            services.append(overTCP)
        }
        defer { socket.remove() }
        try await serve(services)
        if let failure = bound.with({ $0.failure }) { throw failure }
    }

    /// Gives groups other roles and reads certificate and key again. Throws `.configuration` for a group that there is not or a file that
    /// cannot be used; then all stays as it was.
    public func reload(_ configuration: SupervisorConfiguration) throws(OperatorAPIError) {
        var policy = try Self.policy(configuration)
        // The socket keeps the group that it has.
        policy.socketGroup = gate.with { $0 }?.socketGroup
        do throws(SupervisorError) {
            try gate.with { $0 }?.checkTokens()
        } catch {
            throw OperatorAPIError(.configuration, error.message)
        }
        try identity.with { $0 }?.reload()
        gate.with { $0 }?.replace(policy)
        do throws(SystemError) {
            try socket.with { $0 }?.set(mode: Self.socketMode(policy))
        } catch {
            throw OperatorAPIError(.system, "cannot change the mode of the socket: \(error)")
        }
        slow.with { $0 = configuration.slowRequest }
    }

    private static func policy(_ configuration: SupervisorConfiguration) throws(OperatorAPIError) -> AccessPolicy {
        do throws(AccessPolicy.UnknownGroups) {
            return try AccessPolicy(configuration)
        } catch {
            throw OperatorAPIError(.configuration, error.problems.joined(separator: "\n"))
        }
    }

    private static func gatekeeper(_ configuration: SupervisorConfiguration) throws(OperatorAPIError) -> Gatekeeper {
        Gatekeeper(policy: try policy(configuration), network: try network(configuration))
    }

    /// Nil if nothing is served over TCP.
    private static func network(
        _ configuration: SupervisorConfiguration
    ) throws(OperatorAPIError) -> Gatekeeper.Network? {
        guard let listen = configuration.listen else { return nil }
        var tokens: TokenFile?
        if configuration.authentication == .token {
            guard let path = configuration.tokenFile else {
                throw OperatorAPIError(.configuration, "listen: needs token_file, or auth = \"none\"")
            }
            tokens = TokenFile(path)
            do throws(SupervisorError) {
                try tokens?.check()
            } catch {
                throw OperatorAPIError(.configuration, error.message)
            }
        }
        let hosts = HostRules(listen: listen, allowed: configuration.allowedHosts)
        return Gatekeeper.Network(hosts: hosts, tokens: tokens)
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

    /// Returns when every event loop has had its turn.
    public func proveLife() async {
        for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() { try? await loop.submit {}.get() }
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

    /// With an identity, behind TLS.
    private func service(
        _ address: BindAddress, _ gatekeeper: Gatekeeper, _ identity: TLSIdentity?, overTCP: Bool,
        onBound: @escaping @Sendable (any Channel) async -> Void
    ) throws(OperatorAPIError) -> any Service {
        let limits = limits
        let table = ConnectionTable(limit: limits.connections)
        let isSecured = identity != nil
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionTimer(limits: limits, table: table, isSecured: isSecured)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 100))
        var quiet = logger
        quiet.logLevel = max(quiet.logLevel, .notice)
        let server = ServerConfiguration(
            address: address,
            availableConnectionsDelegate: .maximum(limits.connections + Self.maximumServed, logger: quiet))
        let builder = HTTPServerBuilder { responder in
            APIChannel(base: HTTP1Channel(responder: responder, configuration: channel), identity: identity)
        }
        do {
            return try builder.buildServer(
                configuration: server, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: quiet,
                responder: { [responder, refusals] request, writer, channel in
                    let response: Response
                    do throws(SupervisorError) {
                        let caller =
                            overTCP
                            ? try gatekeeper.caller(of: request.head, from: channel.remoteAddress)
                            : try gatekeeper.admit(table.caller(of: channel))
                        response = await responder.respond(to: request, caller: caller, overTCP: overTCP)
                    } catch {
                        refusals.note(request.head, from: channel.remoteAddress, error)
                        response = OperatorResponder.failure(RefusalLog.shown(error))
                    }
                    try await writer.write(response: response.head, body: response.body)
                },
                onServerRunning: onBound)
        } catch {
            throw OperatorAPIError(.system, "cannot serve the API: \(error)")
        }
    }

    private func socketFile(_ policy: AccessPolicy) throws(OperatorAPIError) -> SocketFile {
        do throws(SystemError) {
            return try SocketFile(
                path: configuration.socket, group: policy.socketGroup, mode: Self.socketMode(policy))
        } catch {
            throw OperatorAPIError(.system, "cannot make the socket \(configuration.socket): \(error)")
        }
    }

    /// Where groups decide, everybody may connect and most are turned away: who is in one of them is not kept out by another.
    private static func socketMode(_ policy: AccessPolicy) -> mode_t {
        policy.hasGroups ? 0o666 : policy.socketGroup != nil ? 0o660 : 0o600
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
