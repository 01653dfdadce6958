import Hummingbird

/// What a request path asks for. Routes of the published API that are not served fall under `unknown`, as they do there.
enum Route: Hashable, Sendable {
    case root
    case metrics
    case contentHash
    case dirHash
    case tree
    case latestCommit
    case fileTree
    case blob(id: [UInt8])
    case filesList(link: [UInt8])
    case updateStatus(link: [UInt8])
    case capabilities
    case commit(name: [UInt8])
    case treeObject(id: [UInt8])
    case trees
    case blobs
    case changelist(name: [UInt8])
    case lfsBatch
    case lfsFile(id: [UInt8])
    case unknown

    /// - Parameter extensions: Whether the routes under `/antares` exist.
    init(_ target: RequestTarget, extensions: Bool) {
        switch target.path {
        case "", "/": self = .root
        case "/metrics": self = .metrics
        case "/api/v1/tree/content-hash": self = .contentHash
        case "/api/v1/tree/dir-hash": self = .dirHash
        case "/api/v1/tree": self = .tree
        case "/api/v1/latest-commit": self = .latestCommit
        case "/api/v1/file/tree": self = .fileTree
        case "/info/lfs/objects/batch": self = .lfsBatch
        case "/antares/v1/capabilities" where extensions: self = .capabilities
        case "/antares/v1/trees" where extensions: self = .trees
        case "/antares/v1/blobs" where extensions: self = .blobs
        default:
            if let id = target.remainder(after: "/api/v1/file/blob/") {
                self = .blob(id: id)
            } else if let id = target.remainder(after: "/info/lfs/objects/") {
                self = .lfsFile(id: id)
            } else if let link = target.middle(after: "/api/v1/cl/", before: "/files-list") {
                self = .filesList(link: link)
            } else if let link = target.middle(after: "/api/v1/cl/", before: "/update-status") {
                self = .updateStatus(link: link)
            } else if extensions, let name = target.remainder(after: "/antares/v1/changelists/") {
                self = .changelist(name: name)
            } else if extensions, let name = target.remainder(after: "/antares/v1/commits/") {
                self = .commit(name: name)
            } else if extensions, let id = target.remainder(after: "/antares/v1/trees/") {
                self = .treeObject(id: id)
            } else {
                self = .unknown
            }
        }
    }

    /// For counters: without what varies.
    var label: String {
        switch self {
        case .root: "/"
        case .metrics: "/metrics"
        case .contentHash: "/api/v1/tree/content-hash"
        case .dirHash: "/api/v1/tree/dir-hash"
        case .tree: "/api/v1/tree"
        case .latestCommit: "/api/v1/latest-commit"
        case .fileTree: "/api/v1/file/tree"
        case .blob: "/api/v1/file/blob"
        case .filesList: "/api/v1/cl/link/files-list"
        case .updateStatus: "/api/v1/cl/link/update-status"
        case .capabilities: "/antares/v1/capabilities"
        case .commit: "/antares/v1/commits"
        case .treeObject: "/antares/v1/trees/id"
        case .trees: "/antares/v1/trees"
        case .blobs: "/antares/v1/blobs"
        case .changelist: "/antares/v1/changelists"
        case .lfsBatch: "/info/lfs/objects/batch"
        case .lfsFile: "/info/lfs/objects/id"
        case .unknown: "unknown"
        }
    }

    var methods: [HTTPRequest.Method] {
        switch self {
        case .trees, .blobs, .lfsBatch: [.post]
        default: [.get, .head]
        }
    }

    /// Whether failures are told in the envelope of the published API.
    var usesEnvelope: Bool {
        switch self {
        case .contentHash, .dirHash, .tree, .latestCommit, .fileTree, .blob, .filesList, .updateStatus: true
        default: false
        }
    }
}
