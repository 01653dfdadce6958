/// What goes into an archive of changes, as a layer of a container has it (OCI image specification, "Image Layer Filesystem Changeset"): what is gone is an
/// empty file `.wh.NAME` beside its place, and a directory that hides one of before has `.wh..wh..opq` in it.
struct ArchivePlan: Hashable {
    typealias Change = DifferenceReport.Change

    static let whiteout = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)

    /// Paths of the empty files, in order.
    private(set) var marks: [[UInt8]] = []
    /// What is put in, in order; of `trees` with all that is in it.
    private(set) var members: [[UInt8]] = []
    private(set) var trees = Set<[UInt8]>()

    init(_ changes: [Change]) {
        let isTree = { (change: Change) in change.kind == .renamed && change.type == "directory" }
        trees = Set(changes.filter(isTree).map(\.path))
        let present = changes.filter { $0.kind != .deleted }
        members = present.map(\.path).filter { !Self.isBelow($0, trees) }
        let types = Dictionary(present.map { ($0.path, $0.type) }) { $1 }
        let parents = Set(present.flatMap { Self.parents(of: $0.path) })
        let gone = Set(changes.compactMap { $0.kind == .deleted ? $0.path : $0.from })
        var marks = Set(trees.filter { !Self.isBelow($0, trees) }.map { $0 + [0x2F] + Self.opaque })
        // What is gone with its directory, and what was in a directory that another has taken the place of, needs no mark.
        for path in gone where !Self.isBelow(path, gone) && !Self.isBelow(path, trees) && !trees.contains(path) {
            if let type = types[path] {
                if type == "directory" { marks.insert(path + [0x2F] + Self.opaque) }
            } else if parents.contains(path) {
                marks.insert(path + [0x2F] + Self.opaque)
            } else {
                marks.insert(Self.mark(of: path))
            }
        }
        self.marks = marks.sorted { $0.lexicographicallyPrecedes($1) }
        members.sort { $0.lexicographicallyPrecedes($1) }
        trees = trees.intersection(members)
    }

    /// Paths of marks and members as they follow each other: what is in a directory stands together, or tar(1) would give the directory its time
    /// before it is full. A mark comes before what it makes room for.
    var order: [[UInt8]] {
        let all = (marks + members).map { path in
            (path, path.split(separator: 0x2F).map { (Self.isMark($0) ? 0 : 1, $0) })
        }
        return all.sorted { left, right in
            left.1.lexicographicallyPrecedes(right.1) {
                $0.0 == $1.0 ? $0.1.lexicographicallyPrecedes($1.1) : $0.0 < $1.0
            }
        }.map(\.0)
    }

    static func isMark(_ name: ArraySlice<UInt8>) -> Bool {
        name.starts(with: whiteout)
    }

    static func mark(of path: [UInt8]) -> [UInt8] {
        let start = path.lastIndex(of: 0x2F).map { $0 + 1 } ?? 0
        return Array(path[..<start]) + whiteout + Array(path[start...])
    }

    /// Whether something in an archive would be taken for a mark.
    static func looksLikeMark(_ path: [UInt8]) -> Bool {
        path.split(separator: 0x2F).contains(where: isMark)
    }

    /// The directories above, outermost first.
    static func parents(of path: [UInt8]) -> [[UInt8]] {
        path.indices.filter { path[$0] == 0x2F }.map { Array(path[..<$0]) }
    }

    private static func isBelow(_ path: [UInt8], _ directories: Set<[UInt8]>) -> Bool {
        !directories.isEmpty && parents(of: path).contains(where: directories.contains)
    }
}
