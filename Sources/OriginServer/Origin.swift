import GitObjects
public import Hummingbird
import HummingbirdCore
import LinuxSystem
public import Logging
import NIOCore

/// A read-only origin: the published Mega API, and its content-addressed extensions, over one Git repository.
public struct Origin: Sendable {
    public let configuration: OriginConfiguration
    let store: ObjectStore
    let metrics = OriginMetrics()
    private let logger: Logger

    /// Checks Git and the repository. Blocks for as long as Git takes, `limits.gitDeadline` at most.
    /// - Throws: `gitUnusable`, `notARepository`, `objectFormat`, `timedOut`.
    public init(_ configuration: OriginConfiguration, logger: Logger) throws(OriginError) {
        let deadline = Deadline.after(configuration.limits.gitDeadline)
        let git = try GitProgram(configuration.git, deadline: deadline)
        let repository = try GitRepository(configuration.repository, git: git, deadline: deadline)
        self.store = try ObjectStore(repository, limits: configuration.limits)
        self.configuration = configuration
        self.logger = logger
    }

    /// The HTTP application.
    /// - Parameter running: Called once it listens, with the port.
    public func application(
        running: @escaping @Sendable (Int) async -> Void = { _ in }
    ) -> some ApplicationProtocol {
        let limits = self.configuration.limits
        let writeDeadline = TimeAmount(limits.writeDeadline)
        return Application(
            responder: OriginResponder(
                store: self.store, metrics: self.metrics, strict: self.configuration.strictMega,
                changelists: self.configuration.changelists, logger: self.logger),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [StalledWriteHandler(deadline: writeDeadline)],
                    idleTimeout: TimeAmount(limits.idleDeadline),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                        maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(
                address: .hostname(self.configuration.host, port: self.configuration.port),
                backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections, logger: self.logger)),
            onServerRunning: { channel in await running(channel.localAddress?.port ?? 0) },
            logger: self.logger)
    }

    /// Serves until the task is cancelled.
    /// - Throws: `bindFailed`; `noChangelist`; what Git failed with when it was asked for the first time.
    public func run(running: @escaping @Sendable (Int) async -> Void) async throws(OriginError) {
        // So that the first client does not wait for git to start, and a repository that cannot be read is no surprise to it.
        _ = try await self.store.commitID(of: "HEAD")
        _ = try await self.store.blobSizes([.emptyBlobSHA1])
        let catalog = ChangelistCatalog(store: self.store, configured: self.configuration.changelists)
        for range in self.configuration.changelists {
            guard let name = RevisionName(range.name), try await catalog.changelist(name) != nil else {
                throw OriginError(
                    .noChangelist, "changelist \(range.name): its base or tip is no commit of the repository; see --cl")
            }
        }
        do {
            try await self.application(running: running).run()
        } catch is CancellationError {
            return
        } catch {
            throw OriginError(
                .bindFailed,
                "\(self.configuration.host):\(self.configuration.port) cannot be listened on: \(error); choose another --listen"
            )
        }
    }
}
