/// Which project id the next upper gets. Ids that were given back come first, so that few are ever used: filesystems keep a record of each.
///
/// What it answers is a guess: ids that uppers of an earlier supervisor bear are not known here.
struct ProjectPool: Hashable, Sendable {
    /// From 0x41000000 on; far from what people choose, who count from 1 or take user ids.
    static let ids: Range<UInt32> = 0x4100_0000..<0x4200_0000

    private let range: Range<UInt32>
    private var next: UInt32
    private var returned: [UInt32] = []

    init(_ range: Range<UInt32> = Self.ids) {
        self.range = range
        next = range.lowerBound
    }

    mutating func take() -> UInt32 {
        if let id = returned.popLast() { return id }
        defer { next = next + 1 == range.upperBound ? range.lowerBound : next + 1 }
        return next
    }

    mutating func giveBack(_ id: UInt32) {
        returned.append(id)
    }
}
