import CacheProtocol
import GitObjects

/// What stat(2) shows of a node, besides what the whole mount has in common.
struct Attributes: Hashable, Sendable {
    var node: UInt64
    /// File type and permissions.
    var mode: UInt32
    /// Bytes.
    var size: UInt64
    /// Whether the kernel may keep them; the probe's are asked for every time.
    var isCacheable = true
    /// Shows the time of the change instead of that of the commit.
    var isChanged = false

    init(node: UInt64, mode: UInt32, size: UInt64, isCacheable: Bool = true) {
        self.node = node
        self.mode = mode
        self.size = size
        self.isCacheable = isCacheable
    }

    init(node: UInt64, _ entry: PackedEntry) {
        self.init(node: node, mode: Self.mode(of: entry.mode), size: entry.mode.hasBlob ? entry.size : 0)
        isChanged = entry.flags.contains(.changed)
    }

    /// A submodule is an empty directory, as in a checkout that has not been told to fetch it.
    static func mode(of mode: FileMode) -> UInt32 {
        switch mode {
        case .regular: 0o100644
        case .executable: 0o100755
        case .symlink: 0o120777
        case .directory, .submodule: directoryMode
        }
    }

    static let directoryMode: UInt32 = 0o040755
}
