import Glibc
import LinuxSystem

/// A job that does anything to a tree. The same seed does the same.
struct RandomJob {
    private var random: Numbers

    private static let names: [[UInt8]] = [
        Array("a".utf8), Array("b".utf8), Array("c d".utf8), [0xFF, 0x0A], Array("\u{e4}".utf8), Array("a.b".utf8),
    ]

    init(seed: UInt64) {
        random = Numbers(state: seed)
    }

    /// Adds a file, directory or link somewhere.
    mutating func fill(_ root: Int32) throws {
        let tree = try ShownTree(of: root)
        let path = newPath(in: tree)
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4: make(root, path, directory: true)
        case 4: symlink(root, path)
        default: write(root, path, O_CREAT | O_TRUNC, contents())
        }
        if Int.random(in: 0..<5, using: &random) == 0 { chmod(root, path, 0o755) }
    }

    /// One operation; many fail, as operations of jobs do.
    mutating func step(_ root: Int32) throws {
        let tree = try ShownTree(of: root)
        let (path, other) = (anyPath(in: tree), anyPath(in: tree))
        let new = newPath(in: tree)
        switch Int.random(in: 0..<20, using: &random) {
        case 0: write(root, new, O_CREAT | O_TRUNC, contents())
        case 1: write(root, path, O_TRUNC, contents())
        case 2: write(root, path, O_APPEND, [0x78])
        case 3: rewrite(root, path, tree)
        case 4: chmod(root, path, Bool.random(using: &random) ? 0o755 : 0o644)
        case 5: _ = at(root, path) { unlinkat(root, $0, 0) }
        case 6: _ = at(root, path) { unlinkat(root, $0, AT_REMOVEDIR) }
        case 7: removeAll(root, path, tree)
        case 8...11: rename(root, path, new)
        case 12...13: rename(root, path, other)
        case 14: make(root, new, directory: true)
        case 15: symlink(root, new)
        case 16: _ = at(root, path) { from in at(root, new) { linkat(root, from, root, $0, 0) } }
        case 17: recreate(root, path, tree)
        case 18: copy(root, path, new, tree)
        default: _ = at(root, new) { mkfifoat(root, $0, 0o644) }
        }
    }

    // MARK: Places

    private mutating func anyPath(in tree: ShownTree) -> [UInt8] {
        tree.nodes.keys.sorted { $0.lexicographicallyPrecedes($1) }.randomElement(using: &random) ?? Self.names[0]
    }

    private mutating func newPath(in tree: ShownTree) -> [UInt8] {
        let directories = tree.nodes.filter { $0.value == .directory }.keys.filter { path in
            path.count { $0 == 0x2F } < 3
        }
        let parent =
            ([[]] + directories.sorted { $0.lexicographicallyPrecedes($1) }).randomElement(using: &random) ?? []
        let name = Self.names.randomElement(using: &random) ?? [0x61]
        return parent.isEmpty ? name : parent + [0x2F] + name
    }

    /// Few, so that many files are the same.
    private mutating func contents() -> [UInt8] {
        Array("\(Int.random(in: 0..<6, using: &random))\n".utf8)
    }

    // MARK: Operations

    private func at<Result>(_ root: Int32, _ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        (path + [0]).withUnsafeBytes { body($0.baseAddress!.assumingMemoryBound(to: CChar.self)) }
    }

    private func make(_ root: Int32, _ path: [UInt8], directory: Bool) {
        _ = at(root, path) { mkdirat(root, $0, 0o755) }
    }

    private mutating func symlink(_ root: Int32, _ path: [UInt8]) {
        let target = Bool.random(using: &random) ? "a" : "gone"
        _ = at(root, path) { symlinkat(target, root, $0) }
    }

    private func chmod(_ root: Int32, _ path: [UInt8], _ mode: mode_t) {
        guard isFile(root, path) else { return }
        _ = at(root, path) { fchmodat(root, $0, mode, 0) }
    }

    private func isFile(_ root: Int32, _ path: [UInt8]) -> Bool {
        (try? FileStatus(at: root, path))?.mode ?? 0 & S_IFMT == S_IFREG
    }

    private func write(_ root: Int32, _ path: [UInt8], _ flags: Int32, _ bytes: [UInt8]) {
        if (try? FileStatus(at: root, path)) != nil, !isFile(root, path) { return }
        if flags & O_CREAT != 0 { _ = at(root, path) { mknodat(root, $0, S_IFREG | 0o644, 0) } }
        let more = flags & ~O_CREAT | O_WRONLY | O_NOFOLLOW
        guard let file = try? Directory.open(beneath: root, bytes: path, flags: more) else { return }
        _ = Glibc.write(file.raw, bytes, bytes.count)
    }

    private func rewrite(_ root: Int32, _ path: [UInt8], _ tree: ShownTree) {
        if case .file(_, let bytes)? = tree.nodes[path] { write(root, path, O_TRUNC, bytes) }
    }

    private func copy(_ root: Int32, _ path: [UInt8], _ new: [UInt8], _ tree: ShownTree) {
        if case .file(_, let bytes)? = tree.nodes[path] { write(root, new, O_CREAT | O_TRUNC, bytes) }
    }

    private func rename(_ root: Int32, _ path: [UInt8], _ new: [UInt8]) {
        _ = at(root, path) { from in at(root, new) { renameat(root, from, root, $0) } }
    }

    private func removeAll(_ root: Int32, _ path: [UInt8], _ tree: ShownTree) {
        let below = tree.nodes.keys.filter { $0.starts(with: path + [0x2F]) }.sorted { $0.count > $1.count }
        for place in below + [path] {
            let flags = tree.nodes[place] == .directory ? AT_REMOVEDIR : 0
            _ = at(root, place) { unlinkat(root, $0, flags) }
        }
    }

    /// Something of any type in the place of something else.
    private mutating func recreate(_ root: Int32, _ path: [UInt8], _ tree: ShownTree) {
        removeAll(root, path, tree)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: write(root, path, O_CREAT, contents())
        case 1: symlink(root, path)
        default: make(root, path, directory: true)
        }
    }

    /// SplitMix64.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return value ^ value >> 31
        }
    }
}
