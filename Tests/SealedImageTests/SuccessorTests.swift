import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing

@testable import SealedImage

/// Images that are made from those of other trees.
@Suite(.serialized) struct SuccessorTests {
    /// Holds a mounted image to a tree: every path, and that each directory is in the one that it says it is in.
    private func check(_ image: ImageFile, _ tree: GeneratedTree, time: Int64 = 1_700_000_000) throws {
        let mount = try image.expect(tree, time: time)
        let root = try File.open(at: mount.raw, ".", O_RDONLY | O_DIRECTORY)
        try checkParents(root.raw, node: try node(root.raw))
    }

    private func node(_ directory: Int32) throws -> UInt64 {
        try FileStatus(of: directory).identity.inode
    }

    private func checkParents(_ directory: Int32, node: UInt64) throws {
        for name in try Directory.names(of: directory) {
            let text = name.map { CChar(bitPattern: $0) } + [0]
            let number = openat(directory, text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            guard number >= 0 else { continue }
            let child = OwnedFD(taking: number)
            #expect(try parent(of: child.raw) == node)
            try checkParents(child.raw, node: try self.node(child.raw))
        }
    }

    /// The node that a directory's listing has for "..".
    private func parent(of directory: Int32) throws -> UInt64? {
        guard let stream = fdopendir(dup(directory)) else { throw SystemError(Errno.current, "fdopendir") }
        defer { closedir(stream) }
        rewinddir(stream)
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name == [0x2e, 0x2e] { return UInt64(entry.pointee.d_ino) }
        }
        return nil
    }

    @Test(arguments: [[0], [3], [30], [200, 40, 41], [3000, 500, 120]], [1, 2, 3, 4] as [UInt64])
    func showsEveryPathOfTheNextTree(entries: [Int], seed: UInt64) throws {
        let former = GeneratedTree(seed: seed, entries: entries, depth: 3)
        let next = former.edited(seed: seed * 7, changes: 1 + Int(seed) * 3, marked: seed % 2 == 0)
        let (base, image) = (try ImageFile(), try ImageFile())
        // What has a time of its own keeps it.
        let time: Int64 = try base.write(former).isBase ? 1_800_000_000 : 1_700_000_000
        let before = try File.contents(base.path, limit: 1 << 30)
        do {
            let summary = try image.write(next, madeFrom: base, of: former, time: time)
            #expect(!summary.isBase)
        } catch let error as SealedImageError where error == .tooDifferent {
            // Only a root that has no room for its time of its own, or a change of a large part.
            #expect(entries.count < 3 || seed > 2, "\(error)")
            return
        }
        try check(image, next, time: time)
        #expect(try File.contents(base.path, limit: 1 << 30) == before, "the first one stays as it is")
        try check(base, former)
    }

    @Test func writesOnlyWhatDiffers() throws {
        let former = GeneratedTree(seed: 5, entries: [400, 300, 200, 2000], depth: 3)
        let next = former.edited(seed: 6, changes: 1)
        let (base, image) = (try ImageFile(), try ImageFile())
        let whole = try base.write(former)
        let summary = try image.write(next, madeFrom: base, of: former)
        #expect(summary.directories <= 5, "the changed one and those above it")
        #expect(summary.bytes - whole.bytes < 300_000)
        try check(image, next)
    }

    @Test func theSameTreeAtAnotherTimeIsACopy() throws {
        let tree = GeneratedTree(seed: 8, files: 500)
        let (base, image) = (try ImageFile(), try ImageFile())
        #expect(try base.write(tree).isBase)
        let summary = try image.write(tree, madeFrom: base, of: tree, time: 1_800_000_000)
        #expect(summary.nodes == 501 && summary.directories == 1)
        try check(image, tree, time: 1_800_000_000)
    }

    @Test func anotherTreeIsTooDifferent() throws {
        let (former, next) = (GeneratedTree(seed: 1, files: 6000), GeneratedTree(seed: 2, files: 6000))
        let (base, image) = (try ImageFile(), try ImageFile())
        _ = try base.write(former)
        #expect(throws: SealedImageError.tooDifferent) { try image.write(next, madeFrom: base, of: former) }
    }

    /// Files over 4 GB have an inode with a time of their own.
    @Test func whatHasTimesOfItsOwnIsNoBase() throws {
        var seed: UInt64 = 1
        var tree = GeneratedTree(seed: seed, entries: [40], depth: 0)
        while !tree.paths.values.contains(where: { $0.size > UInt64(UInt32.max) }) {
            seed += 1
            tree = GeneratedTree(seed: seed, entries: [40], depth: 0)
        }
        #expect(try !ImageFile().write(tree).isBase)
        let marked = GeneratedTree(seed: 3, entries: [40], depth: 0, marks: true)
        #expect(try !ImageFile().write(marked).isBase)
    }

    /// Whatever stands in the image: an error, never a trap or an endless loop.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func aDamagedBaseIsRefused(seed: UInt64) throws {
        let former = GeneratedTree(seed: seed, entries: [40, 30], depth: 2)
        let next = former.edited(seed: seed, changes: 4)
        let base = try ImageFile()
        _ = try base.write(former)
        let intact = try File.contents(base.path, limit: 1 << 30)
        var random = SeededGenerator(state: seed)
        for _ in 0..<25 {
            var damaged = intact
            for _ in 0..<40 {
                damaged[1024 + Int(random.next() % UInt64(damaged.count - 1024))] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            try File.replace(base.path, with: damaged, durable: false)
            let image = try ImageFile()
            do {
                _ = try image.write(next, madeFrom: base, of: former)
            } catch is SealedImageError {}
        }
    }
}
