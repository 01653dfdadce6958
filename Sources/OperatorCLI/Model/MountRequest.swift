/// The body of `POST /mounts`.
struct MountRequest: Encodable, Hashable {
    var path = "/"
    var job: String?
    var revision: String?
    var changelist: String?
    var mountpoint: String?
    var uid: UInt32?
    var gid: UInt32?
    var labels: [String: String]?
    var origin: String?

    private enum CodingKeys: String, CodingKey {
        case path
        case job = "job_id"
        case revision = "rev"
        case changelist = "cl"
        case mountpoint, uid, gid, labels, origin
    }
}
