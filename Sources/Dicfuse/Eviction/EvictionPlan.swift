import GitObjects

/// Which objects go: the least recently used ones, of all stores, and no more than are needed.
///
/// A machine without I/O. Every object that is there is offered once, in any order; what is kept in memory are the victims so far,
/// not the candidates.
struct EvictionPlan: Sendable {
    /// How much it would hurt.
    enum Rank: UInt8, Comparable, Sendable {
        /// No mount that lives has asked for it, and it is in no image that a living mount stands on.
        case idle
        /// It may be read again without us; the kernel has none of it in memory.
        case mounted
        /// Its pages are in memory: it is being read. Or an image that a living mount stands on, which frees nothing before that ends.
        case resident

        static func < (left: Rank, right: Rank) -> Bool { left.rawValue < right.rawValue }
    }

    struct Candidate: Hashable, Sendable {
        var store: Int
        var id: ObjectID
        var size: UInt64
        var rank: Rank
        /// Seconds after 1970.
        var lastUse: Int64
        /// A sealed image instead of an object; `id` is its root.
        var image: SealedImages.Key?

        /// Whether it should go before `other`.
        func goesBefore(_ other: Candidate) -> Bool {
            if rank != other.rank { return rank < other.rank }
            if lastUse != other.lastUse { return lastUse < other.lastUse }
            // Any order will do, as long as it is one.
            return store == other.store ? id < other.id : store < other.store
        }

        var footprint: UInt64 { StoreUsage.footprint(of: size) }
    }

    let need: StorageLimits.Need
    /// A heap: the victim that would be spared first is at the top.
    private var heap: [Candidate] = []
    private(set) var bytes: UInt64 = 0

    init(need: StorageLimits.Need) {
        self.need = need
    }

    /// Whether what has been chosen is enough.
    var isEnough: Bool {
        bytes >= need.bytes && UInt64(heap.count) >= need.inodes
    }

    /// False if it would not be taken: for callers to whom finding out about a candidate costs something.
    func wouldTake(_ candidate: Candidate) -> Bool {
        guard !need.isNothing else { return false }
        guard isEnough, let top = heap.first else { return true }
        return candidate.goesBefore(top)
    }

    mutating func offer(_ candidate: Candidate) {
        guard wouldTake(candidate) else { return }
        push(candidate)
        // Spare those that are not needed any more.
        while let top = heap.first, bytes - top.footprint >= need.bytes, UInt64(heap.count - 1) >= need.inodes {
            pop()
        }
    }

    /// The victims, first the one that goes first.
    var victims: [Candidate] {
        heap.sorted { $0.goesBefore($1) }
    }

    private mutating func push(_ candidate: Candidate) {
        bytes += candidate.footprint
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent].goesBefore(heap[child]) else { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func pop() {
        bytes -= heap[0].footprint
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var last = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[last].goesBefore(heap[child]) { last = child }
            }
            if last == parent { return }
            heap.swapAt(parent, last)
            parent = last
        }
    }
}
