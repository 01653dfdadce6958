import GitObjects

/// The sizes of a snapshot's files by the first bytes of their ids: what overlayfs asks for has an id only. Two ids with the same first 64
/// bits would need 2^32 objects; even then the fetch of one of them only fails to verify its length.
struct SizeTable: Sendable {
    private var prefixes: [UInt64]
    private var sizes: [UInt64]

    /// - Parameter entries: in any order, with repetitions.
    init(_ entries: [(prefix: UInt64, size: UInt64)]) {
        var prefixes: [UInt64] = []
        var sizes: [UInt64] = []
        prefixes.reserveCapacity(entries.count)
        sizes.reserveCapacity(entries.count)
        for entry in entries.sorted(by: { $0.prefix < $1.prefix }) where entry.prefix != prefixes.last {
            prefixes.append(entry.prefix)
            sizes.append(entry.size)
        }
        self.prefixes = prefixes
        self.sizes = sizes
    }

    /// This one and more entries; what it has it keeps.
    func adding(_ entries: [(prefix: UInt64, size: UInt64)]) -> SizeTable {
        let more = SizeTable(entries)
        var merged = SizeTable([])
        merged.prefixes.reserveCapacity(count + more.count)
        merged.sizes.reserveCapacity(count + more.count)
        var (left, right) = (0, 0)
        while left < count || right < more.count {
            if right == more.count || left < count && prefixes[left] <= more.prefixes[right] {
                if right < more.count, prefixes[left] == more.prefixes[right] { right += 1 }
                merged.prefixes.append(prefixes[left])
                merged.sizes.append(sizes[left])
                left += 1
            } else {
                merged.prefixes.append(more.prefixes[right])
                merged.sizes.append(more.sizes[right])
                right += 1
            }
        }
        return merged
    }

    static func prefix(of id: ObjectID) -> UInt64 {
        id.withBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }

    var count: Int { prefixes.count }

    subscript(id: ObjectID) -> UInt64? {
        let wanted = Self.prefix(of: id)
        var (low, high) = (0, prefixes.count)
        while low < high {
            let middle = (low + high) / 2
            if prefixes[middle] < wanted { low = middle + 1 } else { high = middle }
        }
        return low < prefixes.count && prefixes[low] == wanted ? sizes[low] : nil
    }

    func encode() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 16)
        for column in [prefixes, sizes] {
            column.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Nil if the length is wrong. The bytes have been checked.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count % 16 == 0 else { return nil }
        let half = bytes.count / 2
        func column(_ part: ArraySlice<UInt8>) -> [UInt64] {
            [UInt64](unsafeUninitializedCapacity: part.count / 8) { buffer, count in
                UnsafeMutableRawBufferPointer(buffer).copyBytes(from: part)
                count = part.count / 8
            }
        }
        prefixes = column(bytes.prefix(half))
        sizes = column(bytes.suffix(half))
    }
}
