import CacheProtocol
import GitObjects

/// Which of the job's changes meet a difference between the view that it has and the next one, without any I/O. The job's version is what is there then.
struct CarryConflicts: Sendable {
    /// What is to be looked up in the trees of both views, without doubles, in order.
    let paths: [[UInt8]]
    private let changed: Set<[UInt8]>
    private let renamedDirectories: Set<[UInt8]>

    init(_ changes: [UpperChange]) {
        var all: Set<[UInt8]> = []
        var directories: Set<[UInt8]> = []
        for change in changes {
            all.insert(change.path)
            guard case .renamed(let from) = change.kind else { continue }
            all.insert(from)
            if change.type == .directory { directories.insert(from) }
        }
        (changed, renamedDirectories) = (all, directories)
        // A directory that the job works in may be something else in the next view.
        for path in changed {
            var rest = path[...]
            while let slash = rest.lastIndex(of: 0x2F) {
                rest = rest[..<slash]
                if !all.insert(Array(rest)).inserted { break }
            }
        }
        paths = all.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The paths that differ, in order; `before` and `after` are what the two trees have at each of `paths`.
    func conflicts(_ before: [PackedEntry?], _ after: [PackedEntry?]) -> [[UInt8]] {
        zip(paths, zip(before, after)).compactMap { path, entries in
            let (old, new) = entries
            // What the job did to a directory as a whole it did to all that is in it.
            if changed.contains(path) { return Self.shown(old) == Self.shown(new) ? nil : path }
            // A directory that the job works in, and perhaps made, covers whatever else the next view has there.
            return new == nil || Self.isDirectory(old) && Self.isDirectory(new) ? nil : path
        }
    }

    /// A directory that the job renamed as a whole, which is another one in the next view, or is not there; nil if there is none. The upper has of it only where
    /// it was.
    func renamedFromSomethingElse(_ before: [PackedEntry?], _ after: [PackedEntry?]) -> [UInt8]? {
        zip(paths, zip(before, after)).first { path, entries in
            renamedDirectories.contains(path) && Self.shown(entries.0) != Self.shown(entries.1)
        }?.0
    }

    private static func isDirectory(_ entry: PackedEntry?) -> Bool {
        entry?.mode == .directory
    }

    private struct Shown: Equatable {
        let mode: FileMode
        let id: ObjectID
    }

    private static func shown(_ entry: PackedEntry?) -> Shown? {
        entry.map { Shown(mode: $0.mode, id: $0.id) }
    }
}
