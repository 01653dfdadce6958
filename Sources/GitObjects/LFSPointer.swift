/// What a tree has in the place of a file of Git LFS: a text that names the contents (git-lfs, docs/spec.md).
///
///     version https://git-lfs.github.com/spec/v1
///     oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
///     size 12345
///
/// Exactly this form and no other: pointers with extensions stand for what a program of the user would make of the contents.
public struct LFSPointer: Hashable, Sendable {
    /// Of kind `lfs`.
    public let id: ObjectID
    /// Bytes of the contents.
    public let size: UInt64

    private static let version = Array("version https://git-lfs.github.com/spec/v1\n".utf8)
    private static let object = Array("oid sha256:".utf8)
    private static let length = Array("size ".utf8)
    private static let digitLimit = 20

    /// Bytes that a pointer can have: no other blob need be looked into.
    public static let sizes: ClosedRange<UInt64> = {
        let fixed = version.count + object.count + 64 + 1 + length.count + 1
        return UInt64(fixed + 1)...UInt64(fixed + digitLimit)
    }()

    /// Nil for anything that is no pointer, which is shown as it is.
    public init?(_ contents: [UInt8]) {
        var rest = contents[...]
        func take(_ expected: [UInt8]) -> Bool {
            guard rest.starts(with: expected) else { return false }
            rest = rest.dropFirst(expected.count)
            return true
        }
        guard Self.sizes.contains(UInt64(contents.count)), take(Self.version), take(Self.object) else { return nil }
        let digits = rest.prefix(64)
        rest = rest.dropFirst(64)
        guard !digits.contains(where: { (0x41...0x46).contains($0) }), let hash = ObjectID(hex: digits),
            let id = ObjectID(kind: .lfs, bytes: hash.bytes), take([0x0A]), take(Self.length), rest.last == 0x0A
        else { return nil }
        let number = rest.dropLast()
        guard number.allSatisfy({ (0x30...0x39).contains($0) }), number.first != 0x30 || number.count == 1,
            let size = UInt64(String(decoding: number, as: UTF8.self)), size <= UInt64(Int64.max)
        else { return nil }
        self.id = id
        self.size = size
    }
}
