/// Pairs of commits made from a seed: the second is the first with some changes.
struct CommitPairs {
    private enum Kind: CaseIterable { case file, program, link }

    private struct Entry {
        var kind: Kind
        var text: String

        var content: Repository.Content {
            switch kind {
            case .file: .file(text)
            case .program: .program(text)
            case .link: .link(text)
            }
        }
    }

    private typealias Tree = [String: Entry]

    private static let names = ["a", "b", "c", "a.b", "a0", "with space", "\u{e4}", "#%41", "&", "B"]
    private var state: UInt64
    /// Only what the published API can tell: no new links, no changes of mode or type alone, programs that begin as such.
    private let plain: Bool

    init(seed: UInt64, plain: Bool) {
        state = seed
        self.plain = plain
    }

    mutating func next() -> (base: [(String, Repository.Content)], tip: [(String, Repository.Content)]) {
        var tree: Tree = [:]
        for _ in 0..<24 { add(to: &tree, anyKind: true) }
        let base = tree
        for _ in 0..<8 { change(&tree) }
        // A mount of nothing shows nothing that could be compared.
        tree["kept"] = Entry(kind: .file, text: "kept \(number(1_000_000))\n")
        return (Self.sorted(base), Self.sorted(tree))
    }

    private static func sorted(_ tree: Tree) -> [(String, Repository.Content)] {
        tree.sorted { $0.key < $1.key }.map { ($0.key, $0.value.content) }
    }

    private mutating func change(_ tree: inout Tree) {
        guard let path = tree.keys.sorted().dropFirst(number(tree.count)).first, let old = tree[path] else { return }
        switch number(plain ? 5 : 7) {
        case 0: add(to: &tree, anyKind: !plain)
        case 1: tree[path]?.text = text(old.kind)
        case 2: tree[path] = nil
        case 3:
            let target = self.path()
            guard isFree(target, in: tree) else { return }
            tree[path] = nil
            tree[target] = old
        case 4:
            // A directory where a file was.
            tree[path] = nil
            tree[path + "/inside"] = entry(anyKind: !plain)
        case 5: tree[path]?.kind = old.kind == .program ? .file : .program
        default: tree[path] = entry(anyKind: true)
        }
    }

    private mutating func add(to tree: inout Tree, anyKind: Bool) {
        let path = path()
        if isFree(path, in: tree) { tree[path] = entry(anyKind: anyKind) }
    }

    private func isFree(_ path: String, in tree: Tree) -> Bool {
        !tree.keys.contains { $0 == path || $0.hasPrefix(path + "/") || path.hasPrefix($0 + "/") }
    }

    private mutating func path() -> String {
        (0...number(4)).map { _ in Self.names[number(Self.names.count)] }.joined(separator: "/")
    }

    private mutating func entry(anyKind: Bool) -> Entry {
        let kind = anyKind ? Kind.allCases[number(3)] : [Kind.file, .program][number(2)]
        return Entry(kind: kind, text: text(kind))
    }

    /// No two are alike, so that nothing is taken for a rename that is none.
    private mutating func text(_ kind: Kind) -> String {
        switch kind {
        case .file: "text \(number(1 << 40))\n"
        case .program: "#!/bin/sh\necho \(number(1 << 40))\n"
        case .link: "target-\(number(1 << 40))"
        }
    }

    /// SplitMix64, below a bound.
    private mutating func number(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((value ^ value >> 31) % UInt64(max(1, bound)))
    }
}
