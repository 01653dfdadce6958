/// The body of `POST /mounts`.
struct MountRequest: Encodable, Hashable {
    var path = "/"
    var job: String?
    var revision: String?
    var changelist: String?
    var changelistPath: String?
    var base: String?
    var mountpoint: String?
    var uid: UInt32?
    var gid: UInt32?
    var labels: [String: String]?
    var origin: String?
    var upperPolicy: String?
    var ttl: Int?
    var idleTTL: Int?
    var isBoundToClient: Bool?

    private enum CodingKeys: String, CodingKey {
        case path
        case job = "job_id"
        case revision = "rev"
        case changelist = "cl"
        case changelistPath = "cl_path"
        case base
        case mountpoint, uid, gid, labels, origin
        case upperPolicy = "upper_policy"
        case ttl
        case idleTTL = "idle_ttl"
        case isBoundToClient = "bind_to_client"
    }
}
