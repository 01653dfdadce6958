import GitObjects

/// Cuts a list of blobs into what is read from Git together, in order.
struct BlobGroups: Sequence, IteratorProtocol {
    enum Group {
        case missing(ObjectID)
        /// Small ones, a few megabytes together.
        case together([(id: ObjectID, size: UInt64)])
        /// A large one, to be streamed.
        case alone(ObjectID, size: UInt64)
    }

    private static let together: UInt64 = 4 << 20

    private let ids: [ObjectID]
    private let sizes: [UInt64?]
    private let whole: UInt64
    private var position = 0

    /// - Parameter whole: The largest blob, in bytes, that is read at once.
    init(ids: [ObjectID], sizes: [UInt64?], whole: UInt64) {
        self.ids = ids
        self.sizes = sizes
        self.whole = whole
    }

    mutating func next() -> Group? {
        guard self.position < self.ids.count else { return nil }
        let id = self.ids[self.position]
        guard let size = self.sizes[self.position] else {
            self.position += 1
            return .missing(id)
        }
        guard size <= self.whole else {
            self.position += 1
            return .alone(id, size: size)
        }
        var group: [(id: ObjectID, size: UInt64)] = []
        var total: UInt64 = 0
        while self.position < self.ids.count, let size = self.sizes[self.position], size <= self.whole,
            total < Self.together
        {
            group.append((self.ids[self.position], size))
            total += size
            self.position += 1
        }
        return .together(group)
    }
}
