import CacheProtocol
import GitObjects

/// What is asked for before a job does: the next files and the next directories where it goes through a directory in order.
struct Ahead: Sendable {
    /// Entries that came and were not used yet are remembered up to here; beyond it they count as unused.
    private static let limit = 1024

    private var contents = AheadWindow(.contents)
    private var directories = AheadWindow(.directories)
    private var unused: Set<ObjectID> = []
    private var asking: AheadRange?
    private var counts = AheadCounts()

    /// A job needs entry `index` of `directory`, whose id is `id`. See `AheadWindow.note`.
    mutating func note(
        _ id: ObjectID, _ index: Int, of directory: ObjectID, _ wanted: AheadRange.Wanted, distance: (Int) -> Int?
    ) {
        let cameAhead = unused.remove(id) != nil
        if cameAhead { counts.used += 1 }
        let range = change(wanted) { $0.note(index, of: directory, cameAhead: cameAhead, distance: distance) }
        asking = range ?? asking
    }

    /// What is to be asked for now.
    mutating func take() -> AheadRange? {
        defer { asking = nil }
        return asking
    }

    /// What there is to count since the last call.
    mutating func takeCounts() -> AheadCounts {
        defer { counts = AheadCounts() }
        return counts
    }

    /// What came of it: the entries that are kept, in order.
    mutating func arrived(
        _ kept: [(index: Int, id: ObjectID)], of directory: ObjectID, _ wanted: AheadRange.Wanted, next: Int?
    ) {
        counts.brought += UInt64(kept.count)
        if unused.count + kept.count > Self.limit { unused = [] }
        unused.formUnion(kept.map(\.id))
        let indices = kept.map(\.index)
        change(wanted) { $0.arrived(indices, of: directory, next: next) }
    }

    mutating func nothingCame(of directory: ObjectID, _ wanted: AheadRange.Wanted) {
        change(wanted) { $0.nothingCame(of: directory) }
    }

    private mutating func change<Result>(
        _ wanted: AheadRange.Wanted, _ body: (inout AheadWindow) -> Result
    ) -> Result {
        switch wanted {
        case .contents: body(&contents)
        case .directories: body(&directories)
        }
    }

    /// Answers that were on their way will not come.
    mutating func forgetAsked() {
        asking = nil
        contents.forgetAsked()
        directories.forgetAsked()
    }
}
