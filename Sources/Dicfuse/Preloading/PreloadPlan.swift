import CacheProtocol
import GitObjects

/// What a preload asks for next, and how far it is: first the tree, each directory once, and the sizes that its listings leave open;
/// then, if wanted, the contents of what the tree names.
///
/// A state machine: no clock, no lock, no I/O. Memory is bounded by the number of directories.
struct PreloadPlan: Sendable {
    /// Something to find out. Every question that was given has to be answered with `listed`, `stepped`, `putBack` or `failed`.
    enum Question: Hashable, Sendable {
        /// A listing; the depth is that below the root, which has 0.
        case directory(ObjectID, depth: Int)
        /// Size, and if `mode` what kind of file it is, of an entry whose listing does not say.
        case entry(ObjectID, directory: ObjectID, index: Int, mode: Bool)
        /// Contents.
        case blob(ObjectID, size: UInt64)
    }

    enum Step: Hashable, Sendable {
        case ask(Question)
        /// The contents this directory names are to be queued with `contents(of:)`.
        case open(ObjectID)
        /// Wait for an answer.
        case wait
        /// The whole tree has been answered: say so with `treeIsStored` once all of it is in the index.
        case settle
        case done
    }

    enum Phase: String, Codable, Sendable { case tree, settling, contents, ended }

    let root: ObjectID
    /// Levels of directories below the root; nil for all.
    let depth: Int?
    let withContents: Bool
    private(set) var phase = Phase.tree
    private(set) var tally = PreloadTally()
    private var pending: [Question] = []
    private var outstanding: Set<Question> = []
    /// The smallest depth each directory was seen at.
    private var depths: [ObjectID: Int] = [:]
    private var tallied: Set<ObjectID> = []
    /// The directories of the tree, as they were listed.
    private(set) var order: [ObjectID] = []
    private var position = 0
    private var queued: Set<ObjectID> = []

    /// Questions under way at a time.
    static let window = 1024

    init(root: ObjectID, depth: Int?, withContents: Bool) {
        self.root = root
        self.depth = depth
        self.withContents = withContents
        begin()
    }

    private mutating func begin() {
        pending = [.directory(root, depth: 0)]
        depths = [root: 0]
        tallied = []
        order = []
        position = 0
        tally.directories = PreloadTally.Part(total: 1)
    }

    /// Nothing of the tree has failed so far.
    var isSound: Bool { tally.failed == 0 }
    var underWay: Int { outstanding.count }

    mutating func next() -> Step {
        if phase == .ended { return .done }
        if outstanding.count < Self.window, let question = pending.popLast() {
            outstanding.insert(question)
            return .ask(question)
        }
        if phase == .contents, outstanding.count < Self.window, position < order.count {
            position += 1
            return .open(order[position - 1])
        }
        guard outstanding.isEmpty else { return .wait }
        switch phase {
        case .tree:
            phase = .settling
            return .settle
        case .settling:
            return .wait
        default:
            phase = .ended
            return .done
        }
    }

    /// A directory's listing is known.
    mutating func listed(_ id: ObjectID, depth level: Int, _ listing: PackedDirectory) {
        guard outstanding.remove(.directory(id, depth: level)) != nil else { return }
        // Under a limit it may have been listed before, further down.
        let isNew = depth == nil || tallied.insert(id).inserted
        if isNew {
            tally.directories.done += 1
            order.append(id)
        }
        for index in 0..<listing.count {
            let entry = listing[index]
            if entry.mode == .directory {
                noteDirectory(entry.id, level + 1)
            } else if entry.mode.hasBlob && isNew {
                tally.contents.total += 1
                tally.bytes.total += entry.size
                guard !entry.isComplete else { continue }
                tally.entries.total += 1
                let needsMode = entry.flags.contains(.modeUnknown)
                pending.append(.entry(entry.id, directory: id, index: index, mode: needsMode))
            }
        }
    }

    private mutating func noteDirectory(_ id: ObjectID, _ level: Int) {
        if let depth, level > depth { return }
        if let known = depths[id] {
            // What lies below it counts anew only if a limit had cut it off.
            guard depth != nil, level < known else { return }
        } else {
            tally.directories.total += 1
        }
        depths[id] = level
        pending.append(.directory(id, depth: level))
    }

    /// An entry's size is known.
    mutating func sized(_ question: Question, _ size: UInt64) {
        guard case .entry = question, outstanding.remove(question) != nil else { return }
        tally.entries.done += 1
        tally.bytes.total += size
    }

    /// What of a directory's contents is here, and what has to be fetched. Both as the tree names them, twice what is named twice.
    mutating func contents(here: PreloadTally.Here, missing: [(id: ObjectID, size: UInt64)]) {
        tally.contents.done += here.objects
        tally.bytes.done += here.bytes
        for (id, size) in missing {
            // Once under way is enough.
            guard queued.insert(id).inserted else {
                tally.contents.done += 1
                tally.bytes.done += size
                continue
            }
            pending.append(.blob(id, size: size))
        }
    }

    /// Contents have arrived.
    mutating func fetched(_ question: Question) {
        guard case .blob(let id, let size) = question, outstanding.remove(question) != nil else { return }
        queued.remove(id)
        tally.contents.done += 1
        tally.bytes.done += size
        tally.fetchedBytes += size
    }

    /// It could not be answered now, but may be later.
    mutating func putBack(_ question: Question) {
        if outstanding.remove(question) != nil { pending.append(question) }
    }

    /// It will not be answered: the rest goes on without it.
    mutating func failed(_ question: Question) {
        guard outstanding.remove(question) != nil else { return }
        if case .blob(let id, _) = question { queued.remove(id) }
        tally.failed += 1
    }

    /// Answers `settle`: whether all that was found out is in the index. If not, the walk begins again, and finds there what is.
    mutating func treeIsStored(_ stored: Bool) {
        guard phase == .settling else { return }
        guard stored else {
            tally = PreloadTally()
            phase = .tree
            return begin()
        }
        phase = withContents ? .contents : .ended
    }
}

/// How far a preload is.
struct PreloadTally: Codable, Hashable, Sendable {
    struct Part: Codable, Hashable, Sendable {
        var done: UInt64 = 0
        /// As far as it is known.
        var total: UInt64 = 0
    }

    /// What needs no fetching.
    struct Here: Sendable {
        var objects: UInt64 = 0
        var bytes: UInt64 = 0
    }

    var directories = Part()
    /// Entries whose listing has no size.
    var entries = Part()
    /// Blobs that the tree names, and their bytes.
    var contents = Part()
    var bytes = Part()
    /// Bytes of contents that came from the origin.
    var fetchedBytes: UInt64 = 0
    /// What could not be had.
    var failed: UInt64 = 0
}
