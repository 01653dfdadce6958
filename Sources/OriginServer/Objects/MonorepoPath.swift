/// A path inside the tree: names of bytes, as the published server splits it.
struct MonorepoPath: Hashable, Sendable {
    /// No empty name and no `.`; `..` is a name like any other, which no tree has.
    let names: [[UInt8]]

    init(names: [[UInt8]]) {
        self.names = names
    }

    /// Slashes may be missing, doubled or trailing.
    init(_ bytes: [UInt8]) {
        self.names = bytes.split(separator: 0x2f).map(Array.init).filter { $0 != [0x2e] }
    }

    var isRoot: Bool { self.names.isEmpty }

    var parent: MonorepoPath { MonorepoPath(names: self.names.dropLast()) }

    /// With a leading slash; the root is `/`.
    var absolute: [UInt8] {
        self.isRoot ? [0x2f] : self.names.flatMap { [0x2f] + $0 }
    }
}
