import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing

@testable import SealedImage

@Suite(.serialized) struct SealedImageTests {
    /// Shapes whose listings end before, at and after the end of a block, and directories with more entries than fit one.
    static let shapes: [[Int]] = [[0], [1], [30], [200, 40, 41], [3000, 500, 120], [64, 64, 64, 64, 64, 64]]

    @Test(arguments: shapes.indices, [1, 2, 3] as [UInt64])
    func showsEveryPathOfTheTree(shape: Int, seed: UInt64) throws {
        let tree = GeneratedTree(seed: seed, entries: Self.shapes[shape], depth: 2, marks: seed == 2)
        let image = try ImageFile()
        let summary = try image.write(tree)
        #expect(summary.nodes == tree.paths.count + 1)

        _ = try image.expect(tree)
    }

    @Test func failsToReadWithoutItsObjectsInsteadOfShowingZeros() throws {
        let tree = GeneratedTree(seed: 7, entries: [60], depth: 0)
        let image = try ImageFile()
        _ = try image.write(tree)
        let mount = try image.mount()
        let path = try #require(
            tree.paths.first { $0.value.mode == .regular && $0.value.size > 0 && $0.key.allSatisfy { $0 < 0x7f } }?.key)
        let file = try File.open(at: mount.raw, String(decoding: path, as: UTF8.self), O_RDONLY)
        var byte: UInt8 = 0
        #expect(read(file.raw, &byte, 1) == -1)
    }

    @Test func overlayFindsTheObjectOfEachFile() throws {
        let tree = GeneratedTree(seed: 7, entries: [60, 30], depth: 2)
        let image = try ImageFile()
        _ = try image.write(tree)
        let files = tree.paths.filter { $0.value.mode != .symlink && $0.value.mode.hasBlob && $0.value.size > 0 }
        let objects = image.directory + "/layer/" + SealedImage.objectPrefix
        try Directory.create(image.directory + "/layer")
        try Directory.create(objects)
        for expected in files.values {
            let hex = expected.id.hex
            try Directory.create("\(objects)/\(hex.prefix(2))")
            try File.replace("\(objects)/\(hex.prefix(2))/\(hex.dropFirst(2))", with: Array(hex.utf8), durable: false)
        }

        let mount = try image.mount()
        let layer = try Directory.open(image.directory + "/layer")
        let overlay = try FilesystemContext("overlay")
        try overlay.set("lowerdir+", fd: mount.raw)
        try overlay.set("datadir+", fd: layer.raw)
        try overlay.set("metacopy", "on")
        try overlay.set("redirect_dir", "on")
        try overlay.create()
        let merged = try overlay.mount([.noSetuid, .noDevices])
        #expect(files.count > 20)
        for (path, expected) in files {
            let text = path.map { CChar(bitPattern: $0) } + [0]
            let file = OwnedFD(taking: try check(openat(merged.raw, text, O_RDONLY), "openat"))
            var buffer = [UInt8](repeating: 0, count: 64)
            let count = read(file.raw, &buffer, buffer.count)
            #expect(String(decoding: buffer[..<max(count, 0)], as: UTF8.self) == expected.id.hex)
        }
    }

    /// An ordinary file takes 128 bytes, beside its name; a prefix of the redirects that is too long would cost 32 more.
    @Test func aFileTakesNoMoreThanItMust() throws {
        let entry = PackedEntry(mode: .regular, id: .emptyTreeSHA1, size: 5000)
        #expect(InodeSize.aligned(InodeSize.leaf(entry), to: ErofsFormat.nodeUnit) == 128)
        let (few, many) = (GeneratedTree(seed: 3, files: 1000), GeneratedTree(seed: 3, files: 11_000))
        func size(_ tree: GeneratedTree) throws -> Int { try ImageFile().write(tree).bytes }
        // Names of eleven bytes with entries of twelve, and what is left over at the end of blocks.
        #expect(try size(many) - size(few) < 10_000 * (128 + 12 + 11 + 1))
    }

    /// What the name of the objects' directory rests on.
    @Test func gitMakesNoTreeWithTheNameOfTheObjects() throws {
        let image = try ImageFile()
        let script =
            "cd \(image.directory) && git init -q r && cd r && git update-index --add --cacheinfo 100644,\(ObjectID.emptyBlobSHA1.hex),\(SealedImage.objectPrefix)/x"
        let refused = image.run("sh -c '\(script)'")
        #expect(refused.status != 0 && refused.output.contains("Invalid path"), "\(refused)")
    }

    @Test func refusesWhatItCannotShow() throws {
        let image = try ImageFile()
        func attempt(_ items: [DirectoryPacker.Item]) throws -> SealedImageError? {
            let file = try File.open(image.path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
            do throws(SealedImageError) {
                _ = try SealedImage.write(.emptyTreeSHA1, of: SingleDirectory(items: items), time: 0, to: file.raw)
                return nil
            } catch {
                return error
            }
        }
        func item(_ name: String, _ entry: PackedEntry) -> [DirectoryPacker.Item] {
            [DirectoryPacker.Item(name: Array(name.utf8), entry: entry)]
        }
        let blob = ObjectID.emptyBlobSHA1
        #expect(
            try attempt(item("a", PackedEntry(mode: .regular, flags: .sizeUnknown, id: blob, size: 0)))
                == .incomplete(directory: .emptyTreeSHA1))
        #expect(
            try attempt(item(SealedImage.objectPrefix, PackedEntry(mode: .directory, id: .emptyTreeSHA1, size: 0)))
                == .reservedName)
        #expect(try attempt(item("loop", PackedEntry(mode: .directory, id: .emptyTreeSHA1, size: 0))) == .tooDeep)
        #expect(try attempt(item("empty", PackedEntry(mode: .symlink, id: blob, size: 0))) == .link(blob))
        #expect(try attempt(item("long", PackedEntry(mode: .symlink, id: blob, size: 4090))) == .link(blob))
        #expect(try attempt(item("other", PackedEntry(mode: .symlink, id: blob, size: 5))) == .link(blob))
    }

    @Test func saysThatTheDiskIsFull() throws {
        let image = try ImageFile()
        let tree = GeneratedTree(seed: 1, entries: [3000], depth: 0)
        let full = try FilesystemContext("tmpfs")
        try full.set("size", "64k")
        try full.create()
        let mount = try full.mount([])
        let file = try File.open(at: mount.raw, "image", O_RDWR | O_CREAT, mode: 0o600)
        #expect(throws: SealedImageError.system(SystemError(.noSpace, "posix_fallocate"))) {
            _ = try SealedImage.write(tree.root, of: tree, time: 0, to: file.raw)
        }
        _ = image
    }
}

/// The same directory whatever id is asked for; links lead to "to".
private struct SingleDirectory: TreeSource {
    let items: [DirectoryPacker.Item]

    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory {
        guard let packed = (try? DirectoryPacker.pack(items)).flatMap({ try? PackedDirectory($0) }) else {
            throw .incomplete(directory: id)
        }
        return packed
    }

    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8] {
        Array("to".utf8)
    }
}
