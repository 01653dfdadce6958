/// Everything that can be configured, with the defaults. `supervisor.toml` describes each key.
public struct SupervisorConfiguration: Hashable, Sendable {
    // [supervisor]
    public var socket = "/run/antares/supervisor.sock"
    /// `HOST:PORT` for the API over TCP; nil for none.
    public var listen: String?
    /// How the API over TCP finds out who asks.
    public enum Authentication: String, CaseIterable, Sendable {
        /// A bearer token of `tokenFile` (RFC 6750).
        case token
        /// Not at all.
        case none
    }

    public var authentication = Authentication.token
    /// Tokens, one a line.
    public var tokenFile: String?
    /// The certificate that the API over TCP shows, with those that lead to a root, and its key: PEM files. Nil: no TLS.
    public var tlsCertificate: String?
    public var tlsKey: String?
    /// Names besides the address's own by which the API may be called over TCP.
    public var allowedHosts: [String] = []
    /// Group that may use the socket; nil: root only, or everybody if groups have roles.
    public var socketGroup: String?
    /// Groups whose members have a role. Without any, whoever may open the socket is an operator.
    public var operatorGroups: [String] = []
    public var agentGroups: [String] = []
    public var readerGroups: [String] = []
    /// Whether workers and cache owner give up what they do not need.
    public var hardening = true
    public var stateDirectory = "/var/lib/antares"
    public var runDirectory = "/run/antares"
    public var mountRoot = "/run/antares/mnt"
    /// Directories under which a client may choose a mountpoint, besides `mountRoot`.
    public var mountpointRoots: [String] = []
    public var upperRoot = "/var/lib/antares/upper"
    public var unmountTimeout: Duration = .seconds(5)
    /// How long the view of a mount whose changelist was exchanged stays for those who still have it open.
    public var retiredViewLimit: Duration = .seconds(600)
    /// What becomes of mounts, workers and cache owner when the supervisor is told to end.
    public enum StopAction: String, CaseIterable, Sendable {
        /// They end with it.
        case unmount
        /// They stay for the next supervisor.
        case keep
    }

    public var onStop = StopAction.unmount
    /// What becomes of an upper when a request does not say.
    public var upperPolicy = UpperPolicy.delete
    public var upperStorage = UpperStorage()
    public var spareWorkers = 4
    /// Mounts in all and of one user; 0: no limit.
    public var maximumMounts = 0
    public var maximumMountsPerUser = 0
    /// Requests that wait for a place when there are too many mounts, and for how long.
    public var mountQueue = 0
    public var mountQueueTimeout: Duration = .seconds(10)
    /// No mount is made when there is less; 0 switches the check off.
    public var minimumFreeBytes: UInt64 = 256 << 20
    public var minimumFreeInodes = 1000
    public var minimumFreeMemory: UInt64 = 128 << 20
    /// User that workers run as: a name or a number.
    public var workerUser = "antares-worker"
    /// How long a request to the origin may go without progress.
    public var requestTimeout: Duration = .seconds(10)
    /// Bytes per second that the origin must manage at least.
    public var minimumRate: UInt64 = 65536

    /// From which level on the log is written; parts may have their own.
    public var logLevel = LogLevel.info
    public var logLevels: [LogPart: LogLevel] = [:]
    /// Requests to the API that take longer are logged as warnings.
    public var slowRequest: Duration = .seconds(5)
    /// Mounts, unmounts, fetches and requests of the kernel that take longer are logged and counted; zero for none.
    public var slowOperation: Duration = .seconds(5)

    // [cache]
    public var cacheDirectory = "/var/lib/antares/cache"
    public var cacheUser = "antares-cache"
    /// Bytes.
    public var cacheLimit: UInt64 = 100 << 30
    /// Percent of the limit.
    public var highWatermark = 95
    public var lowWatermark = 85
    /// Whether snapshots are sealed once they are pinned, so that later mounts of them need no process of ours for what is cached.
    public var seal = true
    /// Files; 0 for no limit.
    public var inodeLimit = 0
    /// Bytes of memory for what is received while the disk is full.
    public var fullDiskMemory: UInt64 = 256 << 20
    /// Bytes a second that the background check of all contents reads; 0 for no bound.
    public var sweepRate: UInt64 = 8 << 20
    /// From the end of one such check to the begin of the next; zero for none.
    public var sweepInterval: Duration = .seconds(7 * 86400)
    /// How long the answer to "what is the head" holds.
    public var headFreshness: Duration = .zero
    /// Bytes a second that the cache fetches in the background; 0 for no bound.
    public var preloadRate: UInt64 = 0

    // [origins.NAME]
    public var origins: [OriginConfiguration] = []

    /// Paths of the programs that the supervisor starts; nil: beside its own executable.
    public var workerProgram: String?
    public var cacheProgram: String?

    public init() {}

    /// The origin that is used when a request names none: the one marked so, else the only one.
    public var defaultOrigin: OriginConfiguration? {
        origins.first { $0.isDefault } ?? (origins.count == 1 ? origins.first : nil)
    }
}

/// Where a repository is served.
public struct OriginConfiguration: Hashable, Sendable {
    public var name: String
    public var url: String
    public var mirrors: [String] = []
    public var tokenFile: String?
    public var caFile: String?
    /// This side's certificate and its key, PEM; the key may be in the certificate's file.
    public var clientCert: String?
    public var clientKey: String?
    /// `http://HOST:PORT` of the proxy to go through.
    public var proxy: String?
    /// The Git LFS server, such as `http://HOST:PORT/info/lfs`; nil: pointers are shown as they are.
    public var lfs: String?
    public var isDefault = false

    public init(name: String, url: String) {
        self.name = name
        self.url = url
    }
}
