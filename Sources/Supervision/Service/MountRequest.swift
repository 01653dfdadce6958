/// What a client asks for with `POST /mounts`.
public struct MountRequest: Codable, Hashable, Sendable {
    /// Directory of the repository that becomes the mount's root: absolute, `/` for all of it.
    public var path: String
    /// Names the job. Asking again with the same job and the same request answers the same mount.
    public var jobID: String?
    /// Stands in for the job where there is none.
    public var buildID: String?
    /// Commit, tag or branch; nil for the origin's head.
    public var revision: String?
    /// Applied to the revision's tree; nil for none.
    public var changelist: ChangelistRequest?
    /// Where to mount: absolute, under a configured root. Nil: below `mount_root`.
    public var mountpoint: String?
    /// Owner and group of the tree; nil: the caller's.
    public var uid: UInt32?
    public var gid: UInt32?
    public var labels: [String: String]
    /// A configured origin; nil for the default.
    public var origin: String?
    /// What becomes of the upper at the end; nil: as configured.
    public var upperPolicy: UpperPolicy?
    /// Nil: the mount lives until it is unmounted.
    public var lease: Lease?

    public init(
        path: String, jobID: String? = nil, buildID: String? = nil, revision: String? = nil, mountpoint: String? = nil,
        uid: UInt32? = nil, gid: UInt32? = nil, labels: [String: String] = [:], origin: String? = nil,
        upperPolicy: UpperPolicy? = nil, lease: Lease? = nil, changelist: ChangelistRequest? = nil
    ) {
        self.path = path
        self.jobID = jobID
        self.buildID = buildID
        self.revision = revision
        self.mountpoint = mountpoint
        self.uid = uid
        self.gid = gid
        self.labels = labels
        self.origin = origin
        self.upperPolicy = upperPolicy
        self.lease = lease
        self.changelist = changelist
    }
}
