import GitObjects

/// A set of objects that may answer yes for one that is not in it (a Bloom filter of 32 KB).
struct UseFilter: Sendable {
    private static let words = 4096
    private var bits: [UInt64] = []

    mutating func insert(_ id: ObjectID) {
        if bits.isEmpty { bits = [UInt64](repeating: 0, count: Self.words) }
        for place in Self.places(id) { bits[place.word] |= place.bit }
    }

    func contains(_ id: ObjectID) -> Bool {
        !bits.isEmpty && Self.places(id).allSatisfy { bits[$0.word] & $0.bit != 0 }
    }

    mutating func formUnion(_ other: UseFilter) {
        if bits.isEmpty { return bits = other.bits }
        for index in other.bits.indices { bits[index] |= other.bits[index] }
    }

    /// An id is a hash already: three parts of it are three independent places.
    private static func places(_ id: ObjectID) -> [(word: Int, bit: UInt64)] {
        id.withBytes { bytes in
            [1, 5, 9].map { offset in
                let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                return (Int(value >> 6) % words, 1 << UInt64(value & 63))
            }
        }
    }
}

/// What mounts use without telling us.
///
/// A worker asks for an object when it is first read; after that the kernel has it, and reads go on without any process of ours. So
/// an object counts as used for as long as a mount lives that has asked for it, and the end of that mount counts as its last use.
struct MountUses: Sendable {
    private struct Ended: Sendable {
        var begin: Int64
        var end: Int64
        var filter: UseFilter
    }

    private var live: [UInt64: UseFilter] = [:]
    /// What mounts that are gone had asked for, by the time of their end, the newest last.
    private var ended: [Ended] = []

    /// Mounts that end within so many seconds share a filter, and so many filters are kept.
    static let span: Int64 = 600
    static let spans = 36

    mutating func note(_ id: ObjectID, by mount: UInt64) {
        live[mount, default: UseFilter()].insert(id)
    }

    /// - Parameter now: seconds after 1970.
    mutating func leave(_ mount: UInt64, now: Int64) {
        guard let filter = live.removeValue(forKey: mount) else { return }
        if let last = ended.indices.last, (0..<Self.span).contains(now - ended[last].begin) {
            ended[last].filter.formUnion(filter)
            ended[last].end = now
        } else {
            ended.append(Ended(begin: now, end: now, filter: filter))
            if ended.count > Self.spans { ended.removeFirst() }
        }
    }

    func isMounted(_ id: ObjectID) -> Bool {
        live.values.contains { $0.contains(id) }
    }

    /// The last use of an object whose last request was at `recorded`.
    func lastUse(of id: ObjectID, recorded: Int64) -> Int64 {
        guard let last = ended.last(where: { $0.filter.contains(id) }) else { return recorded }
        return max(recorded, last.end)
    }
}
