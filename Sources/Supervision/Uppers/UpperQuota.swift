import LinuxSystem

/// Limits of uppers that are directories: each has a project id of its own, which its upper and work directory and all that is in them bear.
///
/// The filesystem is the only record of it: an id is free if nothing bears it, and an upper's is read from its work directory. So it does not
/// matter which supervisor gave it, or how that one ended.
final class UpperQuota: Sendable {
    private struct State {
        var pool = ProjectPool()
        /// Ids of uppers that are deleted while something of them is open still, or not yet gone from the filesystem's accounts.
        var lingering: [UInt32] = []
    }

    private let quota: ProjectQuota
    private let state = Guarded(State())

    /// For uppers below `root`. Nil if its filesystem does not enforce limits of projects.
    init?(root: String) throws(SystemError) {
        quota = ProjectQuota(at: root)
        guard try quota.isEnforced() else { return nil }
    }

    /// Limits what will be in these directories, opened for reading, which must be empty.
    func limit(_ directories: [Int32], _ storage: UpperStorage) throws(SystemError) {
        for _ in ProjectPool.ids {
            let id = state.with { $0.pool.take() }
            guard try quota.state(of: id).isEmpty else { continue }
            for directory in directories { try ProjectQuota.assign(id, to: directory) }
            // Another supervisor with uppers on this filesystem may have taken the same at the same moment: then both take another.
            guard try quota.state(of: id).inodes == UInt64(directories.count) else { continue }
            return try quota.limit(id, bytes: storage.bytes, inodes: UInt64(storage.inodes))
        }
        throw SystemError(.noSpace, "FS_IOC_FSSETXATTR", quota.path, detail: "all project ids are in use")
    }

    /// The id of an upper that lies at `path`, if it has one of ours. Its job may have changed that of the upper directory, of which it is the owner,
    /// but reaches no work directory.
    func project(ofUpperAt path: String) -> UInt32? {
        guard let id = try? ProjectQuota.project(of: "\(path)/\(UpperFilesystem.workName)"),
            ProjectPool.ids.contains(id)
        else { return nil }
        return id
    }

    /// For the id of an upper that is deleted: takes the limit away and lets the id be used again, once nothing bears it. One that lingers is looked at
    /// again the next time; its limit holds until then.
    func giveBack(_ id: UInt32) throws(SystemError) {
        let candidates = state.with { state in
            defer { state.lingering = [] }
            return state.lingering + [id]
        }
        for id in candidates {
            guard try quota.state(of: id).isEmpty else {
                state.with { $0.lingering.append(id) }
                continue
            }
            try quota.limit(id, bytes: 0, inodes: 0)
            state.with { $0.pool.giveBack(id) }
        }
    }
}
