import LinuxSystem

/// What must be true of an image before anybody may mount it, and the sizes of its files; kept in a file beside it. Of the machine's byte
/// order: images do not travel.
struct ImageRecord: Sendable {
    var bytes: UInt64
    var checksum: UInt64
    /// Other images can be made from it.
    var isBase: Bool
    var sizes: SizeTable

    /// "SEALIMG1" in memory.
    private static let magic: UInt64 = 0x3147_4D49_4C41_4553
    /// The same, of an image that others can be made from.
    private static let magicOfBase: UInt64 = 0x3247_4D49_4C41_4553
    private static let headerSize = 32

    func encode() -> [UInt8] {
        let table = sizes.encode()
        let sum = table.withUnsafeBytes { Checksum.of($0, seed: checksum ^ bytes) }
        var encoded: [UInt8] = []
        encoded.reserveCapacity(Self.headerSize + table.count)
        for word in [isBase ? Self.magicOfBase : Self.magic, bytes, checksum, sum] {
            withUnsafeBytes(of: word) { encoded.append(contentsOf: $0) }
        }
        return encoded + table
    }

    init(bytes: UInt64, checksum: UInt64, isBase: Bool, sizes: SizeTable) {
        self.bytes = bytes
        self.checksum = checksum
        self.isBase = isBase
        self.sizes = sizes
    }

    /// Nil if it is damaged.
    init?(_ encoded: [UInt8]) {
        guard encoded.count >= Self.headerSize else { return nil }
        func word(_ index: Int) -> UInt64 {
            encoded.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
        }
        let table = encoded[Self.headerSize...]
        guard word(0) == Self.magic || word(0) == Self.magicOfBase,
            table.withUnsafeBytes({ Checksum.of($0, seed: word(2) ^ word(1)) }) == word(3),
            let sizes = SizeTable(table)
        else { return nil }
        self.init(bytes: word(1), checksum: word(2), isBase: word(0) == Self.magicOfBase, sizes: sizes)
    }

    /// The checksum of a file's first `size` bytes; nil if there are fewer. `progress` is called with the number of bytes of each piece; when it
    /// answers false that is ECANCELED.
    static func checksum(
        of file: Int32, size: UInt64, progress: (Int) -> Bool = { _ in true }
    ) throws(SystemError) -> UInt64? {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { chunk.deallocate() }
        var sum: UInt64 = 0
        var offset: UInt64 = 0
        while offset < size {
            let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<Int(min(UInt64(chunk.count), size - offset))])
            guard try File.read(file, into: part, at: Int64(offset)) == part.count else { return nil }
            sum = Checksum.of(UnsafeRawBufferPointer(part), seed: sum)
            offset += UInt64(part.count)
            guard progress(part.count) else { throw SystemError(.cancelled, "reading a sealed image") }
        }
        return sum
    }
}
