import FoundationEssentials

/// What the cache owner is told at its start, as JSON on descriptor 4:
///
///     {"directory": "/var/lib/antares/cache",
///      "origins": [{"name": "main", "url": "http://origin:8080", "mirrors": [], "tokenFile": null, "caFile": null}],
///      "defaultOrigin": "main", "threads": 2, "connections": 32,
///      "requestTimeoutMilliseconds": 10000, "connectTimeoutMilliseconds": 3000, "minimumRate": 65536,
///      "headFreshnessMilliseconds": 0, "limit": 107374182400, "inodeLimit": 0, "highWatermark": 95, "lowWatermark": 85,
///      "fullDiskMemory": 268435456, "sweepRate": 8388608, "sweepIntervalSeconds": 604800, "preloadRate": 0,
///      "slowFetchMilliseconds": 0, "seal": false}
///
/// Only `directory` and `origins` must be there. Keys that are not known are ignored, so that a newer supervisor can start an
/// older owner.
public struct CacheConfiguration: Codable, Hashable, Sendable {
    /// A place that serves trees and blobs. Each has a store of its own: what one origin says is never shown to another's mounts.
    public struct Origin: Codable, Hashable, Sendable {
        /// Letters, digits, `.`, `_` and `-`; the name of the store's directory.
        public var name: String
        /// http or https, no query; a trailing slash is dropped.
        public var url: String
        /// Other places with the same contents, tried when the first one fails.
        public var mirrors: [String]
        /// A file that holds a bearer token (RFC 6750).
        public var tokenFile: String?
        /// Certificates to trust beside the system's, PEM.
        public var caFile: String?
        /// This side's certificate and its key (in the same file if not given), PEM.
        public var clientCertFile: String?
        public var clientKeyFile: String?
        /// `http://HOST:PORT` of the proxy to go through; never taken from the environment.
        public var proxy: String?
        /// The Git LFS server, such as `http://origin:8080/info/lfs`: files of which the trees hold pointers show their contents. Nil: pointers are
        /// shown as they are.
        public var lfs: String?

        public init(
            name: String, url: String, mirrors: [String] = [], tokenFile: String? = nil, caFile: String? = nil,
            lfs: String? = nil
        ) {
            self.name = name
            self.url = url
            self.mirrors = mirrors
            self.tokenFile = tokenFile
            self.caFile = caFile
            self.lfs = lfs
        }

        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            name = try values.decode(String.self, forKey: .name)
            url = try values.decode(String.self, forKey: .url)
            mirrors = try values.decodeIfPresent([String].self, forKey: .mirrors) ?? []
            tokenFile = try values.decodeIfPresent(String.self, forKey: .tokenFile)
            caFile = try values.decodeIfPresent(String.self, forKey: .caFile)
            clientCertFile = try values.decodeIfPresent(String.self, forKey: .clientCertFile)
            clientKeyFile = try values.decodeIfPresent(String.self, forKey: .clientKeyFile)
            proxy = try values.decodeIfPresent(String.self, forKey: .proxy)
            lfs = try values.decodeIfPresent(String.self, forKey: .lfs)
        }
    }

    /// Where the stores are; one owner at a time.
    public var directory: String
    public var origins: [Origin]
    /// The origin meant by an empty name; the first one if not given.
    public var defaultOrigin: String
    /// Threads that answer workers.
    public var threads: Int
    /// Transfers from origins at the same time.
    public var connections: Int
    /// Without progress for so long a transfer has failed; also the deadline of a request that has none.
    public var requestTimeoutMilliseconds: Int
    public var connectTimeoutMilliseconds: Int
    /// Bytes a second below which a large transfer is given up.
    public var minimumRate: Int
    /// For so long a name (head, branch, tag) keeps meaning the commit it last meant.
    public var headFreshnessMilliseconds: Int

    /// Bytes, and files, that all stores together may take; 0 for no limit.
    public var limit: Int
    public var inodeLimit: Int
    /// Percent of a limit above which eviction begins, and at which it ends.
    public var highWatermark: Int
    public var lowWatermark: Int
    /// Bytes of memory for objects that are being received while the disk is full.
    public var fullDiskMemory: Int
    /// Bytes a second that the look at the contents of all objects reads in the background, and seconds between one look and the next;
    /// 0 for no bound, and for no look.
    public var sweepRate: Int
    public var sweepIntervalSeconds: Int
    /// Bytes a second that are fetched in the background; 0 for no bound.
    public var preloadRate: Int
    /// A request to an origin that takes longer is logged; 0 for none.
    public var slowFetchMilliseconds: Int
    /// Whether snapshots that are pinned get a sealed image.
    public var seal: Bool

    public init(directory: String, origins: [Origin]) {
        self.directory = directory
        self.origins = origins
        defaultOrigin = origins.first?.name ?? ""
        threads = 2
        connections = 32
        requestTimeoutMilliseconds = 10_000
        connectTimeoutMilliseconds = 3_000
        minimumRate = 65_536
        headFreshnessMilliseconds = 0
        limit = 0
        inodeLimit = 0
        highWatermark = 95
        lowWatermark = 85
        fullDiskMemory = 256 << 20
        sweepRate = 8 << 20
        sweepIntervalSeconds = 7 * 86400
        preloadRate = 0
        slowFetchMilliseconds = 0
        seal = false
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            directory: try values.decode(String.self, forKey: .directory),
            origins: try values.decode([Origin].self, forKey: .origins))
        func set<Value: Decodable>(_ path: WritableKeyPath<Self, Value>, _ key: CodingKeys) throws {
            if let value = try values.decodeIfPresent(Value.self, forKey: key) { self[keyPath: path] = value }
        }
        try set(\.defaultOrigin, .defaultOrigin)
        try set(\.threads, .threads)
        try set(\.connections, .connections)
        try set(\.requestTimeoutMilliseconds, .requestTimeoutMilliseconds)
        try set(\.connectTimeoutMilliseconds, .connectTimeoutMilliseconds)
        try set(\.minimumRate, .minimumRate)
        try set(\.headFreshnessMilliseconds, .headFreshnessMilliseconds)
        try set(\.limit, .limit)
        try set(\.inodeLimit, .inodeLimit)
        try set(\.highWatermark, .highWatermark)
        try set(\.lowWatermark, .lowWatermark)
        try set(\.fullDiskMemory, .fullDiskMemory)
        try set(\.sweepRate, .sweepRate)
        try set(\.sweepIntervalSeconds, .sweepIntervalSeconds)
        try set(\.preloadRate, .preloadRate)
        try set(\.slowFetchMilliseconds, .slowFetchMilliseconds)
        try set(\.seal, .seal)
    }

    public var requestTimeout: Duration { .milliseconds(requestTimeoutMilliseconds) }
    public var connectTimeout: Duration { .milliseconds(connectTimeoutMilliseconds) }

    var limits: StorageLimits {
        StorageLimits(
            bytes: UInt64(limit), inodes: UInt64(inodeLimit), high: UInt64(highWatermark), low: UInt64(lowWatermark))
    }

    /// Reads and checks the JSON text.
    public static func parse(_ json: [UInt8]) throws(ConfigurationError) -> CacheConfiguration {
        let configuration: CacheConfiguration
        do {
            configuration = try JSONDecoder().decode(CacheConfiguration.self, from: Data(json))
        } catch let error as DecodingError {
            throw ConfigurationError(Self.explain(error))
        } catch {
            throw ConfigurationError("the configuration is not JSON: \(error)")
        }
        try configuration.validate()
        return configuration
    }

    /// - Throws: the first value that cannot be worked with.
    public func validate() throws(ConfigurationError) {
        guard directory.hasPrefix("/") else {
            throw ConfigurationError("directory must be an absolute path, not \"\(directory)\"")
        }
        guard !origins.isEmpty else { throw ConfigurationError("origins is empty: at least one is needed") }
        var names = Set<String>()
        for origin in origins {
            try origin.validate()
            guard names.insert(origin.name).inserted else {
                throw ConfigurationError("two origins have the name \"\(origin.name)\"")
            }
        }
        guard names.contains(defaultOrigin) else {
            throw ConfigurationError("defaultOrigin \"\(defaultOrigin)\" is not among the origins")
        }
        func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(ConfigurationError) {
            guard range.contains(value) else {
                throw ConfigurationError(
                    "\(name) is \(value), but must be between \(range.lowerBound) and \(range.upperBound)")
            }
        }
        try check("threads", threads, 1...64)
        try check("connections", connections, 1...1024)
        try check("requestTimeoutMilliseconds", requestTimeoutMilliseconds, 10...3_600_000)
        try check("connectTimeoutMilliseconds", connectTimeoutMilliseconds, 10...600_000)
        try check("minimumRate", minimumRate, 1...1 << 40)
        try check("headFreshnessMilliseconds", headFreshnessMilliseconds, 0...86_400_000)
        try check("limit", limit, 0...Int.max)
        try check("inodeLimit", inodeLimit, 0...Int.max)
        try check("highWatermark", highWatermark, 1...100)
        try check("lowWatermark", lowWatermark, 0...highWatermark)
        try check("fullDiskMemory", fullDiskMemory, 0...1 << 40)
        try check("sweepRate", sweepRate, 0...1 << 40)
        try check("sweepIntervalSeconds", sweepIntervalSeconds, 0...100 * 366 * 86400)
        try check("preloadRate", preloadRate, 0...1 << 40)
        try check("slowFetchMilliseconds", slowFetchMilliseconds, 0...Int.max)
    }

    private static func explain(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
        }
        switch error {
        case .keyNotFound(let key, let context):
            let place = path(context)
            return "\(place.isEmpty ? "" : place + ".")\(key.stringValue) is missing"
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            return "\(path(context)) must be a \(type)"
        case .dataCorrupted(let context):
            return "the configuration is not JSON: \(context.debugDescription)"
        @unknown default:
            return "the configuration cannot be read: \(error)"
        }
    }
}

extension CacheConfiguration.Origin {
    func validate() throws(ConfigurationError) {
        let allowed = name.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
            default: false
            }
        }
        guard allowed, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 64, name != "lock" else {
            throw ConfigurationError("origin name \"\(name)\" may have letters, digits, '.', '_', '-' only")
        }
        for url in [url] + mirrors + [lfs].compactMap(\.self) {
            guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains("?"), !url.contains("#"),
                url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            else { throw ConfigurationError("origin \(name): \"\(url)\" is not an http or https address") }
            // Addresses are shown in logs and in the status.
            guard !Self.hasCredentials(url) else {
                throw ConfigurationError("origin \(name): an address must not hold credentials; use tokenFile")
            }
        }
        if let proxy {
            guard proxy.hasPrefix("http://") || proxy.hasPrefix("https://"), !Self.hasCredentials(proxy),
                proxy.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            else { throw ConfigurationError("origin \(name): proxy must be http://HOST:PORT, without credentials") }
        }
        guard clientKeyFile == nil || clientCertFile != nil else {
            throw ConfigurationError("origin \(name): clientKeyFile without clientCertFile")
        }
    }

    private static func hasCredentials(_ address: String) -> Bool {
        address.split(separator: "/", omittingEmptySubsequences: false).dropFirst(2).first?.contains("@") == true
    }

    var access: TransferAccess {
        TransferAccess(
            caFile: caFile, clientCertificate: clientCertFile, clientKey: clientKeyFile, proxy: proxy)
    }

    /// The addresses without trailing slashes, the first one preferred.
    var bases: [String] {
        ([url] + mirrors).map(Self.base)
    }

    /// The address of the Git LFS server without trailing slashes.
    var lfsBase: String? {
        lfs.map(Self.base)
    }

    /// The directory of the store. What trees show depends on whether pointers are followed, so those who do have a store of their own.
    var directoryName: String {
        lfs == nil ? name : "\(name)@lfs"
    }

    private static func base(_ address: String) -> String {
        var base = Substring(address)
        while base.hasSuffix("/") { base = base.dropLast() }
        return String(base)
    }
}

/// A configuration that cannot be worked with; the text says which key and what it must be.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
