/// The filter word before a file's attributes: a cleared bit for each name it may have (Linux, fs/erofs/xattr.c).
///
/// It saves the kernel a search for every attribute that overlayfs asks about and no file has.
enum XattrFilter {
    /// The word of a file with overlay.metacopy and overlay.redirect.
    static let redirectedFile: UInt32 = ~(bit(ErofsFormat.metacopyName) | bit(ErofsFormat.redirectName))

    static func bit(_ name: [UInt8]) -> UInt32 {
        1 << (xxh32(name, seed: ErofsFormat.xattrFilterSeed &+ UInt32(ErofsFormat.trustedIndex)) & 31)
    }

    private static let prime1: UInt32 = 2_654_435_761
    private static let prime2: UInt32 = 2_246_822_519
    private static let prime3: UInt32 = 3_266_489_917
    private static let prime4: UInt32 = 668_265_263
    private static let prime5: UInt32 = 374_761_393

    /// XXH32 as specified in doc/xxhash_spec.md of xxHash.
    static func xxh32(_ bytes: [UInt8], seed: UInt32) -> UInt32 {
        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) }
        }
        var at = 0
        var hash: UInt32
        if bytes.count >= 16 {
            var lanes = [seed &+ prime1 &+ prime2, seed &+ prime2, seed, seed &- prime1]
            while at + 16 <= bytes.count {
                for lane in 0..<4 {
                    lanes[lane] = rotate(lanes[lane] &+ word(at + lane * 4) &* prime2, 13) &* prime1
                }
                at += 16
            }
            hash = rotate(lanes[0], 1) &+ rotate(lanes[1], 7) &+ rotate(lanes[2], 12) &+ rotate(lanes[3], 18)
        } else {
            hash = seed &+ prime5
        }
        hash = hash &+ UInt32(bytes.count)
        while at + 4 <= bytes.count {
            hash = rotate(hash &+ word(at) &* prime3, 17) &* prime4
            at += 4
        }
        while at < bytes.count {
            hash = rotate(hash &+ UInt32(bytes[at]) &* prime5, 11) &* prime1
            at += 1
        }
        hash = (hash ^ hash >> 15) &* prime2
        hash = (hash ^ hash >> 13) &* prime3
        return hash ^ hash >> 16
    }

    private static func rotate(_ value: UInt32, _ bits: UInt32) -> UInt32 {
        value << bits | value >> (32 - bits)
    }
}
