import CacheProtocol
import GitObjects
import SealedImage

/// What a walk finds of a tree: all of it, or what another tree that is sealed already has not.
struct SealingWalk {
    struct Step: Hashable {
        var id: ObjectID
        /// The directory in the same place of the sealed tree.
        var former: ObjectID?
    }

    /// Bytes of directories that are kept in memory while an image is made: some 300,000 files.
    private static let keptLimit = 32 << 20

    /// Entries that may differ before a whole image is written; nil where all of it is looked at.
    private let limit: Int?
    private var seen: Set<Step> = []
    private var taken = 0
    private var keptBytes = 0
    /// What need not be read and checked again for the layout and for the image.
    private(set) var kept: [ObjectID: PackedDirectory] = [:]
    private(set) var sizes: [(prefix: UInt64, size: UInt64)] = []
    private(set) var links: [ObjectID: UInt64] = [:]
    /// Directories that were found and not taken.
    private(set) var below: [Step] = []

    init(_ root: ObjectID, former: ObjectID? = nil, limit: Int? = nil) {
        self.limit = limit
        below = [Step(id: root, former: former)]
    }

    /// The next level.
    mutating func descend() -> [Step] {
        defer { below = [] }
        return below
    }

    /// Takes a directory in, but for the entries that are as they were in `former`.
    mutating func take(
        _ directory: PackedDirectory, _ id: ObjectID, former: PackedDirectory?
    ) throws(SealingError) {
        taken += directory.count
        if let limit, taken > limit { throw .image(.tooDifferent) }
        if keptBytes + directory.byteCount <= Self.keptLimit {
            keptBytes += directory.byteCount
            kept[id] = directory
        }
        for index in 0..<directory.count {
            let entry = directory[index]
            guard entry.isComplete else { throw .image(.incomplete(directory: id)) }
            let known = former.flatMap { former in former.index(of: directory.name(at: index)).map { former[$0] } }
            if known == entry { continue }
            switch entry.mode {
            case .directory:
                let step = Step(id: entry.id, former: known?.mode == .directory ? known?.id : nil)
                if seen.insert(step).inserted { below.append(step) }
            case .symlink: links[entry.id] = entry.size
            case .regular, .executable:
                if entry.size > 0 { sizes.append((SizeTable.prefix(of: entry.id), entry.size)) }
            case .submodule: break
            }
        }
    }
}
