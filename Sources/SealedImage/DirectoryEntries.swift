import CacheProtocol

/// The entries of a directory as EROFS lists them: `.` and `..` at their places among the sorted names, cut into blocks of which none
/// holds a part of an entry.
struct DirectoryEntries {
    enum Entry {
        case itself
        case parent
        /// The index in the packed directory.
        case child(Int)
    }

    let packed: PackedDirectory
    private let beforeSelf: Int
    private let beforeParent: Int

    init(_ packed: PackedDirectory) {
        self.packed = packed
        beforeSelf = Self.position(of: [0x2e], in: packed)
        beforeParent = Self.position(of: [0x2e, 0x2e], in: packed)
    }

    var count: Int {
        packed.count + 2
    }

    /// The entry at a place of the listing.
    subscript(place: Int) -> Entry {
        if place < beforeSelf { return .child(place) }
        if place == beforeSelf { return .itself }
        if place <= beforeParent { return .child(place - 1) }
        return place == beforeParent + 1 ? .parent : .child(place - 2)
    }

    func nameLength(at place: Int) -> Int {
        switch self[place] {
        case .itself: 1
        case .parent: 2
        case .child(let index): packed.name(at: index).count
        }
    }

    /// The end of the block that begins at `place`, and the bytes in it.
    func block(from place: Int) -> (end: Int, used: Int) {
        var used = 0
        var end = place
        while end < count {
            let size = ErofsFormat.direntSize + nameLength(at: end)
            if used + size > ErofsFormat.blockSize { break }
            used += size
            end += 1
        }
        return (end, used)
    }

    /// Bytes of the whole listing: full blocks, and what the last one uses.
    var size: Int {
        var total = 0
        var place = 0
        while true {
            let (end, used) = block(from: place)
            if end == count { return total + used }
            total += ErofsFormat.blockSize
            place = end
        }
    }

    /// How many names sort before `name`, which is none of them.
    private static func position(of name: [UInt8], in packed: PackedDirectory) -> Int {
        name.withUnsafeBytes { name in
            var (low, high) = (0, packed.count)
            while low < high {
                let middle = (low + high) / 2
                if NameOrder.compare(packed.name(at: middle), name) < 0 { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }
}
