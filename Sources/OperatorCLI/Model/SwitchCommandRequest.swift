/// The body of `POST` and `DELETE /mounts/{id}/cl`.
struct SwitchCommandRequest: Encodable, Hashable {
    var changelist: String?
    var changelistPath: String?
    var base: String?
    var revision: String?
    var carry: Bool?
    var discard: Bool?

    private enum CodingKeys: String, CodingKey {
        case changelist = "cl"
        case changelistPath = "cl_path"
        case base
        case revision = "rev"
        case carry, discard
    }
}
