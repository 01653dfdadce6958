public import GitObjects

/// The types of Git objects, as the header of an object spells them.
public enum ObjectType: String, Sendable {
    case blob
    case tree
    case commit
    case tag
}

/// Computes the id of an object while its bytes stream by: the digest of `<type> SP <size> NUL` and the payload
/// (gitformat-loose(5), "git hash-object"); for Git LFS of the payload alone.
///
/// A payload that is longer or shorter than `size` gives an id that no such object has, so comparing the result with the id
/// asked for also proves the size; but not for Git LFS.
public struct ObjectHasher: ~Copyable {
    public let kind: ObjectID.Kind
    private var digest: Digest

    /// - Parameter size: The length of the payload in bytes.
    public init(kind: ObjectID.Kind, type: ObjectType, size: UInt64) {
        self.kind = kind
        self.digest = Digest(kind == .sha1 ? .sha1 : .sha256)
        if kind != .lfs { self.digest.update(Array("\(type.rawValue) \(size)\0".utf8)) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        self.digest.update(bytes)
    }

    public mutating func update(_ bytes: RawSpan) {
        self.digest.update(bytes)
    }

    public mutating func update(_ bytes: [UInt8]) {
        self.digest.update(bytes)
    }

    public consuming func finish() -> ObjectID {
        let kind = self.kind
        let digest = self.digest
        guard let id = ObjectID(kind: kind, bytes: digest.finish()) else {
            preconditionFailure("a digest has the length of its algorithm")
        }
        return id
    }
}

extension ObjectID {
    /// The id Git gives an object of this type and payload.
    public static func hash(
        _ type: ObjectType, _ payload: UnsafeRawBufferPointer, kind: Kind = .sha1
    ) -> ObjectID {
        var hasher = ObjectHasher(kind: kind, type: type, size: UInt64(payload.count))
        hasher.update(payload)
        return hasher.finish()
    }

    public static func hash(blob payload: [UInt8], kind: Kind = .sha1) -> ObjectID {
        payload.withUnsafeBytes { Self.hash(.blob, $0, kind: kind) }
    }

    public static func hash(tree payload: [UInt8], kind: Kind = .sha1) -> ObjectID {
        payload.withUnsafeBytes { Self.hash(.tree, $0, kind: kind) }
    }

    public static func hash(commit payload: [UInt8], kind: Kind = .sha1) -> ObjectID {
        payload.withUnsafeBytes { Self.hash(.commit, $0, kind: kind) }
    }
}
