import Supervision

/// What no type can say: ranges, shapes of paths and addresses, and values that contradict each other.
enum ConfigurationValidator {
    static func problems(of loaded: LoadedConfiguration, file: String) -> [ConfigurationProblem] {
        var check = Check(loaded: loaded)
        check.paths()
        check.socket()
        check.numbers()
        check.uppers()
        check.origins(file: file)
        return check.problems
    }
}

private struct Check {
    let loaded: LoadedConfiguration
    var problems: [ConfigurationProblem] = []

    init(loaded: LoadedConfiguration) {
        self.loaded = loaded
    }

    private var configuration: SupervisorConfiguration {
        loaded.configuration
    }

    private mutating func report(_ key: String, _ message: String) {
        problems.append(ConfigurationProblem(loaded.source(of: key), key, message))
    }

    mutating func paths() {
        let supervisor: [(String, String?)] = [
            ("supervisor.socket", configuration.socket),
            ("supervisor.state_dir", configuration.stateDirectory),
            ("supervisor.run_dir", configuration.runDirectory),
            ("supervisor.mount_root", configuration.mountRoot),
            ("supervisor.upper_root", configuration.upperRoot), ("supervisor.token_file", configuration.tokenFile),
            ("supervisor.tls_certificate", configuration.tlsCertificate),
            ("supervisor.tls_key", configuration.tlsKey),
            ("supervisor.worker_program", configuration.workerProgram),
            ("supervisor.cache_program", configuration.cacheProgram),
            ("cache.dir", configuration.cacheDirectory),
        ]
        for (key, path) in supervisor { checkPath(key, path) }
        for root in configuration.mountpointRoots { checkPath("supervisor.mountpoint_roots", root) }
        for origin in configuration.origins {
            checkPath("origins.\(origin.name).token_file", origin.tokenFile)
            checkPath("origins.\(origin.name).ca_file", origin.caFile)
            checkPath("origins.\(origin.name).client_cert", origin.clientCert)
            checkPath("origins.\(origin.name).client_key", origin.clientKey)
        }
        checkApart("supervisor.mount_root", configuration.mountRoot, "supervisor.upper_root", configuration.upperRoot)
        checkApart("supervisor.mount_root", configuration.mountRoot, "cache.dir", configuration.cacheDirectory)
        checkApart("supervisor.upper_root", configuration.upperRoot, "cache.dir", configuration.cacheDirectory)
        // Clients choose mountpoints there.
        for root in configuration.mountpointRoots {
            checkApart("supervisor.mountpoint_roots", root, "supervisor.upper_root", configuration.upperRoot)
            checkApart("supervisor.mountpoint_roots", root, "cache.dir", configuration.cacheDirectory)
        }
    }

    private mutating func checkPath(_ key: String, _ path: String?) {
        guard let path else { return }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if !path.hasPrefix("/") {
            report(key, "`\(path)` must be an absolute path")
        } else if parts.contains("..") || parts.contains(".") || path.utf8.contains(0) {
            report(key, "`\(path)` must not contain `.`, `..` or NUL")
        } else if parts.contains("") {
            report(key, "`\(path)` must not be `/`, end with `/` or contain `//`")
        }
    }

    /// A directory inside the other would be removed, listed or mounted over with it.
    private mutating func checkApart(_ key: String, _ path: String, _ otherKey: String, _ other: String) {
        if path == other || path.hasPrefix(other + "/") || other.hasPrefix(path + "/") {
            report(key, "`\(path)` and \(otherKey) `\(other)` must not contain each other")
        }
    }

    mutating func socket() {
        let length = configuration.socket.utf8.count
        if length > 107 {
            report("supervisor.socket", "the path has \(length) bytes; a socket's may have 107 (unix(7))")
        }
        listener()
        for host in configuration.allowedHosts {
            if let problem = HostName.problem(of: host) { report("supervisor.allowed_hosts", problem) }
        }
    }

    /// The API over TCP: where a token would travel in the clear, or nobody would be asked, there is none.
    private mutating func listener() {
        let hasCertificate = configuration.tlsCertificate != nil
        let hasKey = configuration.tlsKey != nil
        if hasCertificate != hasKey {
            let (given, missing) = hasKey ? ("tls_key", "tls_certificate") : ("tls_certificate", "tls_key")
            report("supervisor.\(given)", "is of no use without \(missing)")
        }
        guard let listen = configuration.listen else {
            if hasCertificate && hasKey { report("supervisor.tls_certificate", "is of no use without listen") }
            return
        }
        guard let address = ListenAddress(listen) else {
            report("supervisor.listen", "`\(listen)` is not HOST:PORT")
            return
        }
        let needsToken = configuration.authentication == .token && configuration.tokenFile == nil
        if !address.isLoopback {
            var missing: [String] = []
            if configuration.authentication == .none { missing.append("auth = \"token\"") }
            if configuration.tokenFile == nil { missing.append("token_file") }
            if !hasCertificate { missing.append("tls_certificate") }
            if !hasKey { missing.append("tls_key") }
            if missing.isEmpty { return }
            report(
                "supervisor.listen",
                "`\(address.host)` is not a loopback address, where other machines need a token and TLS: set "
                    + missing.joined(separator: ", ") + "; or serve 127.0.0.1, [::1] or localhost only")
        } else if needsToken {
            report(
                "supervisor.listen",
                "needs token_file; or auth = \"none\", if every process of this machine may do everything")
        }
    }

    mutating func numbers() {
        let second = Duration.seconds(1)
        check("supervisor.unmount_timeout", configuration.unmountTimeout, in: second / 10, second * 60)
        check("supervisor.old_view_limit", configuration.retiredViewLimit, in: second, second * 86400)
        check("supervisor.request_timeout", configuration.requestTimeout, in: second / 10, second * 3600)
        check("cache.head_freshness", configuration.headFreshness, in: .zero, second * 86400)
        if !(0...256).contains(configuration.spareWorkers) {
            report("supervisor.spare_workers", "\(configuration.spareWorkers) is not between 0 and 256")
        }
        check("supervisor.mount_queue_timeout", configuration.mountQueueTimeout, in: .zero, second * 3600)
        for (key, count) in [
            ("supervisor.max_mounts", configuration.maximumMounts),
            ("supervisor.max_mounts_per_user", configuration.maximumMountsPerUser),
            ("supervisor.mount_queue", configuration.mountQueue),
            ("supervisor.min_free_inodes", configuration.minimumFreeInodes),
        ] where count < 0 {
            report(key, "\(count) must not be negative")
        }
        if configuration.minimumRate == 0 {
            report("supervisor.minimum_rate", "must be at least 1 byte per second")
        }
        if configuration.cacheLimit < 16 << 20 {
            report("cache.limit", "\(Quantity.text(bytes: configuration.cacheLimit)) is too little; 16MiB is the least")
        }
        for (key, value) in [
            ("cache.high_watermark", configuration.highWatermark), ("cache.low_watermark", configuration.lowWatermark),
        ] where !(1...100).contains(value) {
            report(key, "\(value) is not between 1 and 100 percent")
        }
        if configuration.inodeLimit < 0 {
            report("cache.inode_limit", "\(configuration.inodeLimit) is negative; 0 is no limit")
        }
        for (key, value) in [
            ("cache.full_disk_memory", configuration.fullDiskMemory), ("cache.sweep_rate", configuration.sweepRate),
        ] where value > 1 << 40 {
            report(key, "\(Quantity.text(bytes: value)) is too much; 1TiB is the most")
        }
        if configuration.sweepInterval != .zero {
            check("cache.sweep_interval", configuration.sweepInterval, in: second * 60, second * (366 * 86400))
        }
        if configuration.lowWatermark >= configuration.highWatermark {
            report(
                "cache.low_watermark",
                "\(configuration.lowWatermark) must be below high_watermark, which is \(configuration.highWatermark)")
        }
    }

    mutating func uppers() {
        let storage = configuration.upperStorage
        if storage.inodes < 0 {
            report("supervisor.upper_inode_limit", "\(storage.inodes) is negative; 0 is no limit")
        }
        let least: UInt64 = 16 << 20
        let isUnlimited = storage.kind == .directory && storage.bytes == 0
        if !isUnlimited, storage.bytes < least || storage.bytes > 1 << 44 {
            report(
                "supervisor.upper_limit",
                "\(Quantity.text(bytes: storage.bytes)) is not between \(Quantity.text(bytes: least)) and 16TiB, "
                    + "which upper_storage = \"\(storage.kind.rawValue)\" needs")
        }
        if storage.kind == .tmpfs, configuration.upperPolicy == .keep {
            report(
                "supervisor.upper_policy",
                "what is in a tmpfs cannot be kept; use \"delete\", or upper_storage = \"image\"")
        }
    }

    private mutating func check(_ key: String, _ value: Duration, in low: Duration, _ high: Duration) {
        if value < low || value > high {
            let range = "\(Quantity.text(low)) and \(Quantity.text(high))"
            report(key, "\(Quantity.text(value)) is not between \(range)")
        }
    }

    mutating func origins(file: String) {
        for origin in configuration.origins {
            let section = "origins.\(origin.name)"
            if !OriginRules.isName(origin.name) {
                report(section, "an origin's name is 1 to 64 characters of a-z, 0-9 and `-`")
            }
            if origin.url.isEmpty {
                // Reported where it was read if it is there but has the wrong type.
                report(section, "needs a `url`")
            } else if let message = OriginRules.problem(ofURL: origin.url) {
                report(section + ".url", message)
            }
            for mirror in origin.mirrors {
                if let message = OriginRules.problem(ofURL: mirror) { report(section + ".mirrors", message) }
            }
            if let proxy = origin.proxy, let message = OriginRules.problem(ofURL: proxy) {
                report(section + ".proxy", message)
            }
            if origin.clientKey != nil && origin.clientCert == nil {
                report(section + ".client_key", "is of no use without `client_cert`")
            }
            if let lfs = origin.lfs, let message = OriginRules.problem(ofURL: lfs) { report(section + ".lfs", message) }
        }
        let defaults = configuration.origins.filter(\.isDefault)
        for extra in defaults.dropFirst() {
            report("origins.\(extra.name).default", "`\(defaults[0].name)` is the default already; only one can be")
        }
        if configuration.origins.count > 1 && defaults.isEmpty {
            let names = configuration.origins.map(\.name).joined(separator: ", ")
            problems.append(
                ConfigurationProblem(
                    .file(file, line: nil), "origins", "none of \(names) is the default; set `default = true` in one"))
        }
    }
}

/// What an origin's name and address may be.
enum OriginRules {
    static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    static func problem(ofURL url: String) -> String? {
        guard let scheme = ["http://", "https://"].first(where: url.lowercased().hasPrefix) else {
            return "`\(url)` must begin with http:// or https://"
        }
        let rest = url.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" }
        if host.isEmpty || host.hasPrefix(":") { return "`\(url)` names no host" }
        if host.contains("@") { return "`\(url)` must not carry a user or password; use token_file" }
        if url.hasSuffix("/") { return "`\(url)` must not end with `/`" }
        if url.contains("?") || url.contains("#") { return "`\(url)` must have no query and no fragment" }
        if url.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F }) {
            return "`\(url)` must be ASCII without spaces; write others percent-encoded"
        }
        return nil
    }
}
