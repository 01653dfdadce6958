import JSONWriting

/// What a job can read of its mount in the mount itself, without the API: an extended attribute of its root.
///
/// It is on the upper's root and written before the overlay stands on it. So the kernel answers it alone, whoever of us lives; and what changes later, as the
/// state and the worker do, is not in it: an upper must not be changed beneath its overlay (Documentation/filesystems/overlayfs.rst, "Changes to
/// underlying filesystems"). Whoever owns the root can change or remove it: it is for finding out, not for trusting.
struct MountDescription: Encodable, Hashable {
    /// Of the namespace that users may read; overlayfs keeps `user.overlay.` for itself only.
    static let attribute = "user.antares.status"
    /// Bytes. An attribute of ext4 must fit into a block, which has 1024 in a small image.
    static let maximumSize = 900

    var id: String
    var job: String?
    var build: String?
    var origin: String
    var path: String
    var revision: String?
    var commit: String?
    var changelist: String?
    var lower: String
    var mountpoint: String
    var createdAt: Int64

    private enum CodingKeys: String, CodingKey {
        case origin, path, commit, lower, mountpoint
        case id = "mount_id"
        case job = "job_id"
        case build = "build_id"
        case revision = "rev"
        case changelist = "cl"
        case createdAt = "created_at_epoch_ms"
    }

    /// Long texts that clients chose are left out where there is no room for all.
    var json: [UInt8] {
        var shown = self
        let whole = shown.encoded
        if whole.count <= Self.maximumSize { return whole }
        (shown.revision, shown.job, shown.build) = (nil, nil, nil)
        let short = shown.encoded
        if short.count <= Self.maximumSize { return short }
        (shown.path, shown.mountpoint, shown.changelist) = ("", "", nil)
        return shown.encoded
    }

    private var encoded: [UInt8] {
        // Strings and numbers always encode.
        (try? JSONText.bytes(of: self)) ?? []
    }
}
