import Foundation
import GitHashing
import GitObjects

/// A repository of generated commit pairs: `bases[n]` is the parent of `tips[n]`, which `refs/cl/P<n>` names. The bases follow each other.
final class PairRepository {
    let repository: TestRepository
    private(set) var bases: [ObjectID] = []
    private(set) var tips: [ObjectID] = []

    /// One file: its mode and contents; of a submodule the text is its commit.
    struct File: Hashable {
        var mode: FileMode
        var contents: [UInt8]

        var id: ObjectID {
            mode == .submodule
                ? ObjectID(hex: String(decoding: contents, as: UTF8.self)) ?? .emptyTreeSHA1
                : ObjectID.hash(blob: contents)
        }
    }

    typealias Tree = [[UInt8]: File]

    private(set) var trees: [(base: Tree, tip: Tree)] = []

    init(_ count: Int, seed: UInt64) throws {
        repository = try TestRepository()
        var random = Seeded(seed)
        var generator = Generator()
        var stream: [UInt8] = []
        var mark = 0
        for number in 0..<count {
            let base = generator.tree(&random)
            let tip = generator.changed(base, &random)
            trees.append((base, tip))
            mark += 1
            Self.write(base, "refs/heads/main", mark: mark, parent: number == 0 ? nil : mark - 2, to: &stream)
            mark += 1
            Self.write(tip, "refs/cl/P\(number)", mark: mark, parent: mark - 1, to: &stream)
        }
        _ = try repository.git(["fast-import", "--quiet", "--done"], input: stream + Array("done\n".utf8))
        let history = String(decoding: try repository.git(["rev-list", "--reverse", "main"]), as: UTF8.self)
        bases = history.split(separator: "\n").compactMap { ObjectID(hex: $0) }
        tips = try (0..<count).map { try repository.id("refs/cl/P\($0)") }
    }

    private static func write(
        _ tree: Tree, _ ref: String, mark: Int, parent: Int?, to stream: inout [UInt8]
    ) {
        stream +=
            "commit \(ref)\nmark :\(mark)\ncommitter t <t@example.org> \(1_700_000_000 + mark) +0000\ndata 0\n".utf8
        if let parent { stream += "from :\(parent)\n".utf8 }
        stream += "deleteall\n".utf8
        for (path, file) in tree.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let name = quoted(path)
            if file.mode == .submodule {
                stream += "M 160000 ".utf8 + file.contents + " \(name)\n".utf8
            } else {
                stream += "M \(file.mode.octal) inline \(name)\ndata \(file.contents.count)\n".utf8
                stream += file.contents + [0x0A]
            }
        }
    }

    /// A path as git-fast-import(1) takes any.
    private static func quoted(_ path: [UInt8]) -> String {
        "\""
            + path.map { byte in
                (0x20..<0x7F).contains(byte) && byte != 0x22 && byte != 0x5C
                    ? String(UnicodeScalar(byte))
                    : "\\" + String(repeating: "0", count: 3 - String(byte, radix: 8).count)
                        + String(byte, radix: 8)
            }.joined() + "\""
    }

    /// What trees are made of.
    private struct Generator {
        private static let names: [[UInt8]] =
            ["a", "b", "c", "a.b", "a0", "with space", "ä", "日本", "#", "%41", "&", "new\nline", "-x", "B"]
            .map { Array($0.utf8) }
        /// Not UTF-8: only what gives bytes can carry it.
        private static let raw: [UInt8] = [0x66, 0xFF, 0x2E]

        mutating func tree(_ random: inout Seeded) -> Tree {
            var tree: Tree = [:]
            for _ in 0..<Int.random(in: 0...12, using: &random) { add(to: &tree, &random) }
            return tree
        }

        mutating func changed(_ base: Tree, _ random: inout Seeded) -> Tree {
            var tree = base
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let paths = tree.keys.sorted { $0.lexicographicallyPrecedes($1) }
                let path = paths.randomElement(using: &random)
                switch (Int.random(in: 0..<9, using: &random), path) {
                case (0...1, _), (_, nil): add(to: &tree, &random)
                case (2, let path?):
                    let isSubmodule = tree[path]?.mode == .submodule
                    tree[path]?.contents = isSubmodule ? Array(random.id().hex.utf8) : contents(&random)
                case (3, let path?): tree[path] = nil
                case (4...5, let path?): move(path, in: &tree, &random)
                case (6, let path?):
                    if let mode = tree[path]?.mode, mode != .submodule {
                        tree[path]?.mode = mode == .executable ? .regular : .executable
                    }
                case (7, let path?): tree[path] = file(&random)
                case (_, let path?): exchange(path, in: &tree, &random)
                }
            }
            return tree
        }

        private func add(to tree: inout Tree, _ random: inout Seeded) {
            let path = path(&random)
            if isFree(path, in: tree) { tree[path] = file(&random) }
        }

        private func move(_ path: [UInt8], in tree: inout Tree, _ random: inout Seeded) {
            guard var file = tree.removeValue(forKey: path) else { return }
            if Bool.random(using: &random), file.mode != .submodule { file.contents += Array("more\n".utf8) }
            let target = self.path(&random)
            tree[isFree(target, in: tree) ? target : path] = file
        }

        /// A file for a directory, or a directory for a file.
        private func exchange(_ path: [UInt8], in tree: inout Tree, _ random: inout Seeded) {
            if let slash = path.firstIndex(of: 0x2F) {
                let directory = Array(path[..<slash])
                for other in tree.keys where other.starts(with: directory + [0x2F]) { tree[other] = nil }
                tree[directory] = file(&random)
            } else {
                tree[path] = nil
                tree[path + [0x2F] + (Self.names.randomElement(using: &random) ?? [0x61])] = file(&random)
            }
        }

        private func isFree(_ path: [UInt8], in tree: Tree) -> Bool {
            !tree.keys.contains {
                $0 == path || $0.starts(with: path + [0x2F]) || path.starts(with: $0 + [0x2F])
            }
        }

        private func path(_ random: inout Seeded) -> [UInt8] {
            let names = (0...Int.random(in: 0...3, using: &random)).map { _ in
                Int.random(in: 0..<40, using: &random) == 0
                    ? Self.raw : Self.names.randomElement(using: &random) ?? [0x61]
            }
            return Array(names.joined(separator: [0x2F]))
        }

        private func contents(_ random: inout Seeded) -> [UInt8] {
            var text = Int.random(in: 0..<4, using: &random) == 0 ? "#!/bin/sh\n" : ""
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                text += "line \(Int.random(in: 0..<50, using: &random))\n"
            }
            return Array(text.utf8)
        }

        private func file(_ random: inout Seeded) -> File {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: File(mode: .symlink, contents: Array("target \(Int.random(in: 0..<9, using: &random))".utf8))
            case 1:
                File(mode: .submodule, contents: Array(random.id().hex.utf8))
            case 2...3: File(mode: .executable, contents: contents(&random))
            default: File(mode: .regular, contents: contents(&random))
            }
        }
    }
}
