import Supervision

/// Every key there is, in the order in which they are shown.
enum SettingTables {
    static let supervisor: [Setting<SupervisorConfiguration>] = [
        Setting("socket", .string(\.socket)),
        Setting("listen", .optional(\.listen)),
        Setting(
            "auth", .choice(\.authentication.name, SupervisorConfiguration.Authentication.allCases.map(\.rawValue))),
        Setting("token_file", .optional(\.tokenFile)),
        Setting("tls_certificate", .optional(\.tlsCertificate)),
        Setting("tls_key", .optional(\.tlsKey)),
        Setting("allowed_hosts", .strings(\.allowedHosts)),
        Setting("socket_group", .optional(\.socketGroup)),
        Setting("operator_groups", .strings(\.operatorGroups), .afterReload),
        Setting("agent_groups", .strings(\.agentGroups), .afterReload),
        Setting("reader_groups", .strings(\.readerGroups), .afterReload),
        Setting("hardening", .boolean(\.hardening)),
        Setting("state_dir", .string(\.stateDirectory)),
        Setting("run_dir", .string(\.runDirectory)),
        Setting("mount_root", .string(\.mountRoot)),
        Setting("mountpoint_roots", .strings(\.mountpointRoots), .afterReload),
        Setting("upper_root", .string(\.upperRoot)),
        Setting("unmount_timeout", .duration(\.unmountTimeout), .afterReload),
        Setting("old_view_limit", .duration(\.retiredViewLimit), .afterReload),
        Setting("on_stop", .stopAction(\.onStop), .afterReload),
        Setting("upper_policy", .choice(\.upperPolicy.name, UpperPolicy.allCases.map(\.rawValue)), .afterReload),
        Setting("upper_storage", .choice(\.upperStorage.kind.name, UpperStorage.Kind.allCases.map(\.rawValue))),
        Setting("upper_limit", .bytes(\.upperStorage.bytes)),
        Setting("upper_inode_limit", .count(\.upperStorage.inodes)),
        Setting("spare_workers", .count(\.spareWorkers), .afterReload),
        Setting("max_mounts", .count(\.maximumMounts), .afterReload),
        Setting("max_mounts_per_user", .count(\.maximumMountsPerUser), .afterReload),
        Setting("mount_queue", .count(\.mountQueue), .afterReload),
        Setting("mount_queue_timeout", .duration(\.mountQueueTimeout), .afterReload),
        Setting("min_free_space", .bytes(\.minimumFreeBytes), .afterReload),
        Setting("min_free_inodes", .count(\.minimumFreeInodes), .afterReload),
        Setting("min_free_memory", .bytes(\.minimumFreeMemory), .afterReload),
        Setting("worker_user", .string(\.workerUser)),
        Setting("request_timeout", .duration(\.requestTimeout)),
        Setting("minimum_rate", .bytes(\.minimumRate)),
        Setting(
            "log_level", .choice(\.logLevel.name, LogLevel.allCases.map(\.rawValue)), .afterReload),
        Setting("log_levels", .levels(\.logLevels), .afterReload),
        Setting("slow_request", .duration(\.slowRequest), .afterReload),
        Setting("slow_operation", .duration(\.slowOperation), .afterReload),
        Setting("worker_program", .optional(\.workerProgram)),
        Setting("cache_program", .optional(\.cacheProgram)),
    ]

    static let cache: [Setting<SupervisorConfiguration>] = [
        Setting("dir", .string(\.cacheDirectory)),
        Setting("user", .string(\.cacheUser)),
        Setting("limit", .bytes(\.cacheLimit)),
        Setting("high_watermark", .count(\.highWatermark)),
        Setting("low_watermark", .count(\.lowWatermark)),
        Setting("seal", .boolean(\.seal)),
        Setting("inode_limit", .count(\.inodeLimit)),
        Setting("full_disk_memory", .bytes(\.fullDiskMemory)),
        Setting("sweep_rate", .bytes(\.sweepRate)),
        Setting("sweep_interval", .duration(\.sweepInterval)),
        Setting("head_freshness", .duration(\.headFreshness)),
        Setting("preload_rate", .bytes(\.preloadRate)),
    ]

    static let origin: [Setting<OriginConfiguration>] = [
        Setting("url", .string(\.url)),
        Setting("mirrors", .strings(\.mirrors)),
        Setting("token_file", .optional(\.tokenFile)),
        Setting("ca_file", .optional(\.caFile)),
        Setting("client_cert", .optional(\.clientCert)),
        Setting("client_key", .optional(\.clientKey)),
        Setting("proxy", .optional(\.proxy)),
        Setting("lfs", .optional(\.lfs)),
        Setting("default", .boolean(\.isDefault)),
    ]

    static let sections: [(name: String, settings: [Setting<SupervisorConfiguration>])] = [
        ("supervisor", supervisor), ("cache", cache),
    ]

    /// The variable that overlays a key: `ANTARES_SUPERVISOR_SOCKET`, `ANTARES_CACHE_LIMIT`.
    static func variable(_ section: String, _ name: String) -> String {
        "ANTARES_\(section.uppercased())_\(name.uppercased())"
    }

    /// Variables of the origin that is used by default: `ANTARES_ORIGIN_URL`.
    static func originVariable(_ name: String) -> String {
        "ANTARES_ORIGIN_\(name.uppercased())"
    }

    /// The name of the origin that `ANTARES_ORIGIN_URL` makes where none is configured.
    static let environmentOrigin = "default"
}

extension LogLevel {
    /// For settings, which are checked against the known names before they are set.
    fileprivate var name: String {
        get { rawValue }
        set { self = Self(rawValue: newValue) ?? self }
    }
}

extension SupervisorConfiguration.Authentication {
    /// For settings, which are checked against the known names before they are set.
    fileprivate var name: String {
        get { rawValue }
        set { self = Self(rawValue: newValue) ?? self }
    }
}

extension UpperPolicy {
    /// For settings, which are checked against the known names before they are set.
    fileprivate var name: String {
        get { rawValue }
        set { self = UpperPolicy(rawValue: newValue) ?? self }
    }
}

extension UpperStorage.Kind {
    fileprivate var name: String {
        get { rawValue }
        set { self = UpperStorage.Kind(rawValue: newValue) ?? self }
    }
}
