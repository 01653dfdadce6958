/// What a request for a mount may say, and what it means.
enum RequestRules {
    static let maximumPath = 4096
    static let maximumName = 255
    static let maximumLabels = 64

    /// The request in its one canonical form, so that two that mean the same are equal. Throws `.invalidRequest`.
    static func normalised(_ request: MountRequest) throws(SupervisorError) -> MountRequest {
        var result = request
        result.path = try path(request.path)
        result.jobID = try name(request.jobID, "job_id")
        result.buildID = try name(request.buildID, "build_id")
        result.revision = try revision(request.revision)
        result.changelist = try changelist(request)
        if request.labels.count > maximumLabels { throw invalid("at most \(maximumLabels) labels") }
        for (key, value) in request.labels {
            guard plain(key, limit: maximumName), plain(value, limit: maximumPath) else {
                throw invalid(
                    "label \(key): a name has 1 to \(maximumName) bytes, a value 1 to \(maximumPath), and neither has control characters"
                )
            }
        }
        return result
    }

    /// The request of a mount after an exchange of its changelist. Throws `.invalidRequest`.
    static func exchanged(
        _ request: MountRequest, by exchange: SwitchRequest
    ) throws(SupervisorError) -> MountRequest {
        var next = request
        next.changelist = exchange.changelist
        if exchange.changelist?.base == .own {
            if exchange.revision?.isEmpty == false {
                throw invalid("base: the changelist's own base and a rev exclude each other")
            }
            next.revision = nil
        } else if let revision = exchange.revision {
            next.revision = revision
        }
        return try normalised(next)
    }

    /// Absolute, without a slash at the end, and nothing that climbs.
    private static func path(_ path: String) throws(SupervisorError) -> String {
        let components = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !path.isEmpty, path.utf8.count <= maximumPath, !path.utf8.contains(0) else {
            throw invalid("path: wants a directory of the repository, `/` for all of it")
        }
        if components.contains(where: { $0 == "." || $0 == ".." }) {
            throw invalid("path \(path): `.` and `..` are not allowed")
        }
        return "/" + components.joined(separator: "/")
    }

    private static func changelist(_ request: MountRequest) throws(SupervisorError) -> ChangelistRequest? {
        guard var changelist = request.changelist else { return nil }
        guard plain(changelist.name, limit: maximumName), ![".", ".."].contains(changelist.name) else {
            throw invalid("cl: wants the name of a changelist, at most \(maximumName) bytes and no control characters")
        }
        if changelist.base == .own, request.revision?.isEmpty == false {
            throw invalid("base: the changelist's own base and a rev exclude each other")
        }
        changelist.path = try changelist.path.map { (root) throws(SupervisorError) in
            do throws(SupervisorError) {
                return try path(root)
            } catch {
                throw invalid(
                    "cl_path: wants the directory of the repository where the changelist begins, `/` for all of it")
            }
        }
        return changelist
    }

    /// Empty and blank mean that none was given, as in the published API.
    private static func name(_ name: String?, _ field: String) throws(SupervisorError) -> String? {
        guard let name, let first = name.firstIndex(where: { $0 != " " }) else { return nil }
        let last = name.lastIndex { $0 != " " } ?? first
        let trimmed = String(name[first...last])
        guard plain(trimmed, limit: maximumName) else {
            throw invalid("\(field): at most \(maximumName) bytes and no control characters")
        }
        return trimmed
    }

    /// What may be the name of a revision; git's own rules are stricter still (git-check-ref-format(1)).
    private static func revision(_ revision: String?) throws(SupervisorError) -> String? {
        guard let revision, !revision.isEmpty else { return nil }
        let forbidden: Set<Character> = [" ", "~", "^", ":", "?", "*", "[", "\\"]
        guard plain(revision, limit: maximumName), !revision.hasPrefix("-"), !revision.contains(".."),
            !revision.contains("@{"), !revision.contains(where: { forbidden.contains($0) })
        else { throw invalid("rev \(revision): wants a commit id, a tag or a branch") }
        return revision
    }

    /// The configured origin that is meant.
    static func origin(of request: MountRequest, _ configuration: SupervisorConfiguration) throws(SupervisorError)
        -> String
    {
        guard let name = request.origin else {
            guard let origin = configuration.defaultOrigin else {
                throw invalid("origin: several are configured and none is the default; name one")
            }
            return origin.name
        }
        guard configuration.origins.contains(where: { $0.name == name }) else {
            throw invalid(
                "origin \(name): not configured; known are \(configuration.origins.map(\.name).joined(separator: ", "))"
            )
        }
        return name
    }

    /// Refuses what the configured storage of uppers cannot do.
    static func checkUpper(of request: MountRequest, _ configuration: SupervisorConfiguration) throws(SupervisorError) {
        if request.upperPolicy == .keep, configuration.upperStorage.kind == .tmpfs {
            throw invalid(
                "upper_policy keep: uppers are in memory here (upper_storage = \"tmpfs\") and end with their mounts")
        }
    }

    /// Where the mount goes: the path asked for, else the mount's id below the mount root.
    static func mountpoint(
        of request: MountRequest, _ id: MountID, _ configuration: SupervisorConfiguration
    ) throws(SupervisorError) -> Mountpoint {
        guard let wanted = request.mountpoint else {
            return Mountpoint(root: configuration.mountRoot, name: id.rawValue)
        }
        let roots = [configuration.mountRoot] + configuration.mountpointRoots
        guard let mountpoint = Mountpoint(path: wanted, roots: roots) else {
            throw invalid(
                "mountpoint \(wanted): wants a plain absolute path below one of \(roots.joined(separator: ", "))")
        }
        return mountpoint
    }

    private static func plain(_ text: String, limit: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= limit
            && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }

    private static func invalid(_ message: String) -> SupervisorError {
        SupervisorError(.invalidRequest, message)
    }
}

extension MountRequest {
    /// The name under which a request is idempotent.
    var jobKey: String? {
        jobID ?? buildID
    }
}
