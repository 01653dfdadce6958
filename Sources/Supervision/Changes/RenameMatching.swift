import GitObjects

/// Finds which of the files that have gone are the ones that have come. Only the very same contents and mode count.
struct RenameMatching {
    struct Key: Hashable {
        var id: ObjectID
        var mode: FileMode
    }

    private var gone: [Key: [[UInt8]]] = [:]
    private var come: [Key: [[UInt8]]] = [:]

    mutating func goes(_ path: [UInt8], _ key: Key) {
        gone[key, default: []].append(path)
    }

    mutating func comes(_ path: [UInt8], _ key: Key) {
        come[key, default: []].append(path)
    }

    /// Where each file that was renamed came from, by its new path. Among several that are the same one keeps its name if it can; the rest are
    /// taken in the order of their paths.
    func renames() -> [[UInt8]: [UInt8]] {
        var renames: [[UInt8]: [UInt8]] = [:]
        for (key, paths) in come {
            guard let sources = gone[key]?.sorted(by: { $0.lexicographicallyPrecedes($1) }) else { continue }
            // Popped from the end.
            var byName = Dictionary(grouping: sources.reversed(), by: Self.name)
            var taken = Set<[UInt8]>()
            var left: [[UInt8]] = []
            for path in paths.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                if let source = byName[Self.name(path)]?.popLast() {
                    renames[path] = source
                    taken.insert(source)
                } else {
                    left.append(path)
                }
            }
            for (path, source) in zip(left, sources.lazy.filter { !taken.contains($0) }) { renames[path] = source }
        }
        return renames
    }

    private static func name(_ path: [UInt8]) -> ArraySlice<UInt8> {
        path[(path.lastIndex(of: 0x2F).map { $0 + 1 } ?? 0)...]
    }
}
