/// Everything that can be configured, with the defaults. `supervisor.toml` describes each key.
public struct SupervisorConfiguration: Hashable, Sendable {
    // [supervisor]
    public var socket = "/run/antares/supervisor.sock"
    /// `HOST:PORT` for the API over TCP; nil for none.
    public var listen: String?
    /// Group that may use the socket; nil: root only.
    public var socketGroup: String?
    public var stateDirectory = "/var/lib/antares"
    public var runDirectory = "/run/antares"
    public var mountRoot = "/run/antares/mnt"
    /// Directories under which a client may choose a mountpoint, besides `mountRoot`.
    public var mountpointRoots: [String] = []
    public var upperRoot = "/var/lib/antares/upper"
    public var unmountTimeout: Duration = .seconds(5)
    public var spareWorkers = 4
    /// User that workers run as: a name or a number.
    public var workerUser = "antares-worker"
    /// How long a request to the origin may go without progress.
    public var requestTimeout: Duration = .seconds(10)
    /// Bytes per second that the origin must manage at least.
    public var minimumRate: UInt64 = 65536

    // [cache]
    public var cacheDirectory = "/var/lib/antares/cache"
    public var cacheUser = "antares-cache"
    /// Bytes.
    public var cacheLimit: UInt64 = 100 << 30
    /// Percent of the limit.
    public var highWatermark = 95
    public var lowWatermark = 85
    /// How long the answer to "what is the head" holds.
    public var headFreshness: Duration = .zero

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
    public var lfs: String?
    public var isDefault = false

    public init(name: String, url: String) {
        self.name = name
        self.url = url
    }
}
