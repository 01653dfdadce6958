import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// Commit pairs as they come, through antares-origin and the owner: the base with the changelist is the tip.
@Suite("Any changelist on its base is its tip", .timeLimit(.minutes(8)), .enabled(if: Programs.origin != nil))
final class ChangelistPropertyTests {
    static let pairs = 300
    let pairs: PairRepository
    let directory: String
    private var owner: OwnerHarness?

    init() throws {
        pairs = try PairRepository(Self.pairs, seed: 7)
        directory = try TemporaryDirectory.make("changelists")
    }

    deinit {
        owner?.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func start(_ url: String) throws -> OwnerHarness {
        let owner = try OwnerHarness(.test("\(directory)/owner", url))
        self.owner = owner
        return owner
    }

    struct Shown: Hashable, CustomStringConvertible {
        var mode: FileMode
        var contents: [UInt8]

        var description: String { "\(mode) \(String(decoding: contents, as: UTF8.self).debugDescription)" }
    }

    /// Everything below a root, as a worker is given it. Of a submodule nothing but its being one is shown.
    private func read(_ root: ObjectID, _ worker: Client) throws -> [[UInt8]: Shown] {
        var found: [[UInt8]: Shown] = [:]
        var queue: [([UInt8], ObjectID)] = [([], root)]
        while let (path, id) = queue.popLast() {
            for (index, item) in try worker.directory(id).items.enumerated() {
                let name = path + (path.isEmpty ? [] : [0x2F]) + item.name
                switch item.entry.mode {
                case .directory: queue.append((name, item.entry.id))
                case .submodule: found[name] = Shown(mode: .submodule, contents: [])
                default:
                    let (mode, size) =
                        item.entry.isComplete ? (item.entry.mode, item.entry.size) : try worker.stat(id, index)
                    found[name] = Shown(
                        mode: try #require(mode), contents: try worker.contents(item.entry.id, size: size))
                }
            }
        }
        return found
    }

    private static func shown(_ tree: PairRepository.Tree) -> [[UInt8]: Shown] {
        tree.mapValues { Shown(mode: $0.mode, contents: $0.mode == .submodule ? [] : $0.contents) }
    }

    @Test("With modes and bytes of names: path by path, and by Git's own name for the tree") func extended() throws {
        let (program, url) = try Programs.serve(pairs.repository)
        defer { program.stop() }
        let owner = try start(url)
        let worker = try owner.worker()
        for number in 0..<Self.pairs {
            let (base, tip) = (pairs.bases[number], pairs.tips[number])
            let snapshot = try owner.control.pin(changelist: "P\(number)", revision: base.hex)
            #expect(snapshot.commit == base)
            let change = try #require(snapshot.change)
            let tree = try pairs.repository.id("\(tip)^{tree}")
            try #require(change.tree == tree, "pair \(number)")
            #expect(change.root == [0x2F])
            #expect(change.time > snapshot.commitTime)
            let found = try read(snapshot.root, worker)
            try #require(found == Self.shown(pairs.trees[number].tip), "pair \(number)")
        }
        #expect(owner.counter(.verifyFailures) == 0 && owner.counter(.guessedModes) == 0)
    }

    @Test("Through the published API alone: all that it carries") func published() throws {
        let (program, url) = try Programs.serve(pairs.repository, "--strict-mega")
        defer { program.stop() }
        let owner = try start(url)
        let worker = try owner.worker()
        var compared = 0
        for number in 0..<Self.pairs {
            let tree = pairs.trees[number]
            // The published API writes names as text.
            let names = Array(tree.base.keys) + tree.tip.keys
            guard names.allSatisfy({ String(validating: $0, as: UTF8.self) != nil }) else { continue }
            // It has modes for its head only.
            _ = try pairs.repository.git(["update-ref", "refs/heads/main", pairs.bases[number].hex])
            let expected = try plain(number)
            // A submodule that is new is a file which the origin does not have.
            guard let expected else { continue }
            let snapshot = try owner.control.pin(changelist: "P\(number)", root: "/")
            #expect(snapshot.commit == pairs.bases[number])
            let found = try read(snapshot.root, worker)
            try #require(found == expected, "pair \(number)")
            compared += 1
        }
        #expect(compared > Self.pairs / 2)
    }

    /// The base with what the published list says of the way to the tip, file by file; nil if a new file is a submodule.
    private func plain(_ number: Int) throws -> [[UInt8]: Shown]? {
        let (base, tip) = pairs.trees[number]
        var gone: Set<[UInt8]> = []
        var come: PairRepository.Tree = [:]
        let raw = try pairs.repository.git([
            "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--find-renames=50%", pairs.bases[number].hex,
            pairs.tips[number].hex,
        ])
        var fields = raw.split(separator: 0, omittingEmptySubsequences: false)[...]
        while let head = fields.popFirst(), head.first == 0x3A, let path = fields.popFirst().map(Array.init) {
            let words = head.split(separator: 0x20)
            switch words[4].first {
            case UInt8(ascii: "A"):
                guard let file = tip[path], file.mode != .submodule else { return nil }
                come[path] = PairRepository.File(
                    mode: Executables.isExecutable(file.contents) ? .executable : .regular, contents: file.contents)
            case UInt8(ascii: "D"):
                gone.insert(path)
            case UInt8(ascii: "R"):
                let target = Array(fields.popFirst() ?? [])
                guard let old = base[path], let file = tip[target] else { return nil }
                gone.insert(path)
                come[target] = PairRepository.File(mode: old.mode, contents: file.contents)
            default:
                // Only contents are told; a type that changes with them is not.
                guard let old = base[path], let file = tip[path] else { return nil }
                guard (old.mode == .submodule) == (file.mode == .submodule) else { return nil }
                if words[2] != words[3] { come[path] = PairRepository.File(mode: old.mode, contents: file.contents) }
            }
        }
        let expected = base.filter { !gone.contains($0.key) }.merging(come) { $1 }
        return Self.shown(expected)
    }
}
