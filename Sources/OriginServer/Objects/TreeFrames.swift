import GitObjects
import NIOCore

/// Tree frames: the raw trees and, for each, the sizes of its blobs.
struct TreeFrames: Sendable {
    let store: ObjectStore

    struct Batch: Sendable {
        var bytes: ByteBuffer
        /// Trees the batch has.
        var count: Int
        /// Directories named by the trees, in order.
        var directories: [ObjectID]
    }

    /// Frames for these ids in this order, in two round trips to Git at most.
    func batch(_ ids: [ObjectID]) async throws(OriginError) -> Batch {
        let payloads = try await self.store.trees(ids)
        var blobs: [ObjectID] = []
        var directories: [ObjectID] = []
        // For each entry of each tree whether it has a size.
        var sized: [[Bool]] = []
        for (id, payload) in zip(ids, payloads) {
            var marks: [Bool] = []
            if let payload {
                do {
                    try payload.span.bytes.withUnsafeBytes { (bytes) throws(GitObjectError) in
                        try TreeParser.forEach(in: bytes) { (mode, id, _) in
                            marks.append(mode.hasBlob)
                            if mode.hasBlob { blobs.append(id) }
                            if mode == .directory { directories.append(id) }
                        }
                    }
                } catch {
                    throw OriginError(.objectDamaged, "tree \(id) is not readable: \(error)")
                }
            }
            sized.append(marks)
        }
        let sizes = try await self.store.blobSizes(blobs)

        var bytes: [UInt8] = []
        var count = 0
        var used = 0
        for (index, id) in ids.enumerated() {
            guard let payload = payloads[index] else {
                ObjectFrame.appendMissing(to: &bytes, id)
                continue
            }
            count += 1
            let own = sized[index].map { hasSize in
                guard hasSize else { return ObjectFrame.noSize }
                used += 1
                return sizes[used - 1]
            }
            ObjectFrame.appendTree(to: &bytes, id, payload: payload, sizes: own)
        }
        return Batch(bytes: ByteBuffer(bytes: bytes), count: count, directories: directories)
    }
}

/// Walks a tree breadth first, each tree once.
struct TreeTraversal: Sendable {
    private var level: [ObjectID]
    private var position = 0
    private var below: [ObjectID] = []
    private var seen: Set<ObjectID>
    private var limit = 16
    private static let batchBytes = 4 << 20

    init(root: ObjectID) {
        self.level = [root]
        self.seen = [root]
    }

    /// The next trees to read; nil at the end.
    mutating func next() -> [ObjectID]? {
        if self.position == self.level.count {
            self.level = self.below
            self.below = []
            self.position = 0
        }
        guard self.position < self.level.count else { return nil }
        let batch = Array(self.level[self.position...].prefix(self.limit))
        self.position += batch.count
        return batch
    }

    /// Takes note of what was found in them, and adapts the number of trees to read at once to their size, so that one batch
    /// takes a few megabytes whatever the repository is like.
    mutating func found(_ batch: TreeFrames.Batch) {
        for id in batch.directories where self.seen.insert(id).inserted { self.below.append(id) }
        let average = max(1, batch.bytes.readableBytes / max(1, batch.count))
        self.limit = min(512, max(1, Self.batchBytes / average))
    }
}
