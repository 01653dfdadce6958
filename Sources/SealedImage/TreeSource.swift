public import CacheProtocol
public import GitObjects

/// Where the writer gets a snapshot's tree from. Each directory is asked for twice, each link once.
public protocol TreeSource {
    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory
    /// The target of a symbolic link.
    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8]
}
