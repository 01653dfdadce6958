import Supervision

/// The routes of the old daemon beside the Antares API. They are answered 410 with what to use instead.
enum LegacyRoutes {
    static func error(_ path: String) -> SupervisorError {
        SupervisorError(.gone, "\(path) is served no more: \(successor(of: path))")
    }

    private static func successor(of path: String) -> String {
        switch path {
        case "/api/fs/mount":
            "POST /mounts with {\"path\":…,\"job_id\":…}, which answers when the mount is ready"
        case "/api/fs/mpoint": "GET /mounts"
        case "/api/fs/unmount": "DELETE /mounts/{mount_id} or DELETE /mounts/by-job/{job_id}"
        case _ where path.hasPrefix("/api/fs/select"): "GET /mounts/{mount_id}/ready; POST /mounts needs no polling"
        case "/api/config": "`antares config show`; the configuration is a file"
        default: "see /openapi.json"
        }
    }
}
