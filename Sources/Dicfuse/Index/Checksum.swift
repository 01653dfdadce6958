/// A 64-bit checksum of an index value. It finds damage, not intent: nobody but the owner writes the index.
enum Checksum {
    static let byteCount = 8

    /// - Parameter seed: what the value belongs to; the same bytes elsewhere have another checksum.
    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var state = seed ^ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            state = mix(state ^ UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            offset += 8
        }
        var last: UInt64 = 0
        for index in offset..<bytes.count { last = last << 8 | UInt64(bytes[index]) }
        return mix(state ^ last)
    }

    /// The seed of a value: its table and its key. A damaged page that leads from one key to another's value is found out by it.
    static func seed(_ table: IndexTable, _ key: UnsafeRawBufferPointer) -> UInt64 {
        of(key, seed: 0x9E37_79B9_7F4A_7C15 &+ table.number &* 0xBF58_476D_1CE4_E5B9)
    }

    // An odd multiplier and a rotation are both reversible, so two values that differ in one word always differ in the end.
    private static func mix(_ value: UInt64) -> UInt64 {
        let product = value &* 0xD6E8_FEB8_6659_FD93
        return (product << 29 | product >> 35) &+ 0x2545_F491_4F6C_DD1D
    }

    /// The value as it is stored: the checksum, then the bytes.
    static func seal(_ value: [UInt8], seed: UInt64) -> [UInt8] {
        var stored: [UInt8] = []
        stored.reserveCapacity(byteCount + value.count)
        let sum = value.withUnsafeBytes { of($0, seed: seed) }
        withUnsafeBytes(of: sum.littleEndian) { stored.append(contentsOf: $0) }
        stored.append(contentsOf: value)
        return stored
    }

    /// The value without its checksum, or nil if they do not belong together.
    static func open(_ stored: UnsafeRawBufferPointer, seed: UInt64) -> UnsafeRawBufferPointer? {
        guard stored.count >= byteCount else { return nil }
        let sum = UInt64(littleEndian: stored.loadUnaligned(as: UInt64.self))
        let value = UnsafeRawBufferPointer(rebasing: stored[byteCount...])
        return of(value, seed: seed) == sum ? value : nil
    }
}
