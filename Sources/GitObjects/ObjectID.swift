/// The name of an object: a Git object id, the id of a Git LFS file, or a key the cache makes for a directory whose origin has no content
/// addressing.
///
/// The bytes are stored inline and unused ones are zero, so a value is trivial to copy, compare and hash. The order is by kind,
/// then by bytes, which within one kind is the order of the hexadecimal text.
public struct ObjectID: Hashable, Sendable, Comparable, BitwiseCopyable, CustomStringConvertible {
    public enum Kind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
        case sha1 = 1
        case sha256 = 2
        /// A 32-byte key made by the cache from origin, commit and path.
        case path = 3
        /// A 32-byte key the cache makes from the contents of a directory that a changelist has changed.
        case changed = 4
        /// The SHA-256 of a file's plain contents, by which Git LFS names it.
        case lfs = 5

        public var byteCount: Int { self == .sha1 ? 20 : 32 }
    }

    public let kind: Kind
    // Each word holds eight bytes, the first in its most significant place, so that comparing words compares bytes.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public var byteCount: Int { self.kind.byteCount }

    /// Nil unless there are exactly as many bytes as the kind has.
    public init?(kind: Kind, bytes: UnsafeRawBufferPointer) {
        guard bytes.count == kind.byteCount else { return nil }
        // Whole words: a walk over a large tree makes millions of ids.
        func word(_ offset: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        self.kind = kind
        if kind == .sha1 {
            let rest = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
            self.words = (word(0), word(8), UInt64(rest) << 32, 0)
        } else {
            self.words = (word(0), word(8), word(16), word(24))
        }
    }

    /// Nil unless there are exactly as many bytes as the kind has.
    public init?(kind: Kind, bytes: some Collection<UInt8>) {
        let id = bytes.withContiguousStorageIfAvailable {
            ObjectID(kind: kind, bytes: UnsafeRawBufferPointer($0))
        }
        guard let id = id ?? Array(bytes).withUnsafeBytes({ ObjectID(kind: kind, bytes: $0) }) else { return nil }
        self = id
    }

    /// Reads 40 hexadecimal digits as a SHA-1 id and 64 as a SHA-256 id, in either case; anything else is nil.
    public init?(hex: some Collection<UInt8>) {
        let kind: Kind
        switch hex.count {
        case 40: kind = .sha1
        case 64: kind = .sha256
        default: return nil
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(kind.byteCount)
        var high: UInt8?
        for character in hex {
            guard let value = Hex.value(of: character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.init(kind: kind, bytes: bytes)
    }

    /// Reads 40 hexadecimal digits as a SHA-1 id and 64 as a SHA-256 id, in either case; anything else is nil.
    public init?(hex: some StringProtocol) {
        self.init(hex: Array(hex.utf8))
    }

    /// Lowercase hexadecimal text: 40 or 64 digits.
    public var hex: String {
        self.withBytes { bytes in
            String(unsafeUninitializedCapacity: bytes.count * 2) { text in
                for (index, byte) in bytes.enumerated() {
                    text[index * 2] = Hex.digit(byte >> 4)
                    text[index * 2 + 1] = Hex.digit(byte & 0xf)
                }
                return bytes.count * 2
            }
        }
    }

    public var bytes: [UInt8] { self.withBytes { Array($0) } }

    public var description: String { self.hex }

    /// The 20 or 32 bytes; the buffer is valid only inside `body`.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let stored = (
            self.words.0.bigEndian, self.words.1.bigEndian, self.words.2.bigEndian, self.words.3.bigEndian
        )
        let count = self.byteCount
        return try Swift.withUnsafeBytes(of: stored) { (all) throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(rebasing: all.prefix(count)))
        }
    }

    public static func == (left: ObjectID, right: ObjectID) -> Bool {
        left.kind == right.kind && left.words == right.words
    }

    public static func < (left: ObjectID, right: ObjectID) -> Bool {
        left.kind == right.kind ? left.words < right.words : left.kind.rawValue < right.kind.rawValue
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(self.kind.rawValue)
        hasher.combine(self.words.0)
        hasher.combine(self.words.1)
        hasher.combine(self.words.2)
        hasher.combine(self.words.3)
    }

    private init(sha1 first: UInt64, _ second: UInt64, _ third: UInt32) {
        self.kind = .sha1
        self.words = (first, second, UInt64(third) << 32, 0)
    }

    /// The id of the blob without bytes.
    public static let emptyBlobSHA1 = ObjectID(sha1: 0xe69d_e29b_b2d1_d643, 0x4b8b_29ae_775a_d8c2, 0xe48c_5391)

    /// The id of the tree without entries.
    public static let emptyTreeSHA1 = ObjectID(sha1: 0x4b82_5dc6_42cb_6eb9, 0xa060_e54b_f8d6_9288, 0xfbee_4904)
}
