/// What uppers are on, and how large one may become.
public struct UpperStorage: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Directories on the filesystem of `upper_root`: all share its room. Limits are project quotas of that filesystem.
        case directory
        /// A tmpfs for each mount, in memory.
        case tmpfs
        /// A file for each mount, with an ext4 in it. Its room is reserved when the mount is made.
        case image
    }

    public var kind: Kind
    /// Bytes that one upper may take; 0 for as many as there is room for, which only directories can have.
    public var bytes: UInt64
    /// Files that one upper may have; 0 for as many as there is room for.
    public var inodes: Int

    public init(kind: Kind = .directory, bytes: UInt64 = 0, inodes: Int = 0) {
        self.kind = kind
        self.bytes = bytes
        self.inodes = inodes
    }

    /// Whether uppers are directories that need the filesystem to hold their limits.
    var needsQuota: Bool {
        kind == .directory && (bytes > 0 || inodes > 0)
    }

    /// What making a mount takes from the disk of `upper_root` at once.
    var reserved: UInt64 {
        kind == .image ? bytes : 0
    }
}
