import Supervision

/// Every key there is, in the order in which they are shown.
enum SettingTables {
    static let supervisor: [Setting<SupervisorConfiguration>] = [
        Setting("socket", .string(\.socket)),
        Setting("listen", .optional(\.listen)),
        Setting("socket_group", .optional(\.socketGroup)),
        Setting("state_dir", .string(\.stateDirectory)),
        Setting("run_dir", .string(\.runDirectory)),
        Setting("mount_root", .string(\.mountRoot)),
        Setting("mountpoint_roots", .strings(\.mountpointRoots)),
        Setting("upper_root", .string(\.upperRoot)),
        Setting("unmount_timeout", .duration(\.unmountTimeout)),
        Setting("spare_workers", .count(\.spareWorkers)),
        Setting("worker_user", .string(\.workerUser)),
        Setting("request_timeout", .duration(\.requestTimeout)),
        Setting("minimum_rate", .bytes(\.minimumRate)),
        Setting("worker_program", .optional(\.workerProgram)),
        Setting("cache_program", .optional(\.cacheProgram)),
    ]

    static let cache: [Setting<SupervisorConfiguration>] = [
        Setting("dir", .string(\.cacheDirectory)),
        Setting("user", .string(\.cacheUser)),
        Setting("limit", .bytes(\.cacheLimit)),
        Setting("high_watermark", .count(\.highWatermark)),
        Setting("low_watermark", .count(\.lowWatermark)),
        Setting("head_freshness", .duration(\.headFreshness)),
    ]

    static let origin: [Setting<OriginConfiguration>] = [
        Setting("url", .string(\.url)),
        Setting("mirrors", .strings(\.mirrors)),
        Setting("token_file", .optional(\.tokenFile)),
        Setting("ca_file", .optional(\.caFile)),
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
