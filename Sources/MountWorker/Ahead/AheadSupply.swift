import CacheProtocol
import GitObjects

/// What came before anybody asked, as the cache owner says; see `AheadAnswer`.
struct AheadSupply: Sendable {
    enum Content: Sendable {
        case directory(PackedDirectory)
        case blob(BlobContents)
    }

    var directory: ObjectID
    var wanted: AheadRange.Wanted
    var next: Int?
    var items: [(index: Int, content: Content)]
}
