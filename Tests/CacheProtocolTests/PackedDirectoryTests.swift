import CacheProtocol
import GitObjects
import LinuxSystem
import Testing

@Suite struct PackedDirectoryTests {
    private static func id(_ number: UInt8) -> ObjectID {
        ObjectID(kind: .sha1, bytes: [UInt8](repeating: number, count: 20))!
    }

    private static func item(_ name: [UInt8], _ entry: PackedEntry? = nil) -> DirectoryPacker.Item {
        DirectoryPacker.Item(name: name, entry: entry ?? PackedEntry(mode: .regular, id: id(1), size: 5))
    }

    private static func item(_ name: String) -> DirectoryPacker.Item {
        item(Array(name.utf8))
    }

    private static let sample: [UInt8] = {
        let items = [
            item(Array("zeta".utf8), PackedEntry(mode: .executable, id: id(2), size: 1 << 40)),
            item(Array("a b".utf8), PackedEntry(mode: .directory, id: id(3), size: 0)),
            item([0xFF, 0x0A], PackedEntry(mode: .symlink, flags: .sizeUnknown, id: id(4), size: 0)),
            item(
                Array("sub".utf8),
                PackedEntry(
                    mode: .submodule, id: ObjectID(kind: .sha256, bytes: [UInt8](repeating: 7, count: 32))!, size: 0)),
        ]
        return (try? DirectoryPacker.pack(items)) ?? []
    }()

    @Test func entriesComeBackSorted() throws {
        let directory = try PackedDirectory(Self.sample)
        #expect(directory.count == 4)
        #expect(
            (0..<4).map { Array(directory.name(at: $0)) }
                == [Array("a b".utf8), Array("sub".utf8), Array("zeta".utf8), [0xFF, 0x0A]])
        #expect(directory[2] == PackedEntry(mode: .executable, id: Self.id(2), size: 1 << 40))
        #expect(directory[1].id.kind == .sha256)
        #expect(!directory[3].isComplete)
        #expect(directory.withBytes { Array($0) } == Self.sample)
        #expect(directory.byteCount == Self.sample.count)
    }

    @Test func everyNameIsFoundAndNoOther() throws {
        let names = (0..<500).map { "file-\($0 * 7 % 500)" }
        let directory = try PackedDirectory(try DirectoryPacker.pack(names.map { Self.item($0) }))
        for name in names {
            let index = try #require(directory.index(of: Array(name.utf8)))
            #expect(Array(directory.name(at: index)) == Array(name.utf8))
        }
        for name in ["", "file", "file-", "file-500", "zzz", "file-1\0"] {
            #expect(directory.index(of: Array(name.utf8)) == nil)
        }
    }

    @Test func anEmptyDirectory() throws {
        let directory = try PackedDirectory(try DirectoryPacker.pack([]))
        #expect(directory.count == 0)
        #expect(directory.index(of: [0x61]) == nil)
    }

    @Test func aNulFollowsEveryName() throws {
        let directory = try PackedDirectory(Self.sample)
        for index in 0..<directory.count {
            let name = directory.name(at: index)
            #expect(name.baseAddress!.advanced(by: name.count).load(as: UInt8.self) == 0)
        }
    }

    @Test func forbiddenNamesRefuseTheDirectory() {
        let cases: [([UInt8], EntryName.Problem)] = [
            ([], .empty), ([0x2E], .dot), ([0x2E, 0x2E], .dotDot), ([0x61, 0x2F], .slash), ([0x61, 0], .nul),
            ([UInt8](repeating: 0x61, count: 256), .tooLong),
        ]
        for (name, problem) in cases {
            #expect(throws: DirectoryPacker.Refusal.name(name, problem)) {
                try DirectoryPacker.pack([Self.item("good"), Self.item(name)])
            }
        }
        #expect(throws: DirectoryPacker.Refusal.duplicate([0x61])) {
            try DirectoryPacker.pack([Self.item("a"), Self.item("b"), Self.item("a")])
        }
    }

    @Test func noDamageGetsThrough() throws {
        // Whatever byte is changed: it is refused, or it can be read without a trap.
        for position in Self.sample.indices {
            for bit in 0..<8 {
                var bytes = Self.sample
                bytes[position] ^= 1 << bit
                guard let directory = try? PackedDirectory(bytes) else { continue }
                for index in 0..<directory.count {
                    _ = directory[index]
                    #expect(EntryName.check(directory.name(at: index)) == nil)
                }
            }
        }
        for length in 0..<Self.sample.count {
            #expect(throws: PackedDirectory.Malformed.self) { try PackedDirectory(Array(Self.sample.prefix(length))) }
        }
        #expect(throws: PackedDirectory.Malformed.self) { try PackedDirectory(Self.sample + [0]) }
    }

    @Test func aMemfdMustBeSealed() throws {
        let sealed = try Self.sample.withUnsafeBytes { bytes in
            SharedFD(try SharedMemory.sealedFile(name: "directory", bytes))
        }
        let directory = try PackedDirectory(received: try sealed.duplicate(), size: Self.sample.count)
        #expect(directory.count == 4)
        #expect(throws: PackedDirectory.Malformed.self) {
            _ = try PackedDirectory(received: try sealed.duplicate(), size: Self.sample.count + 1)
        }
        let open = try SharedMemory(name: "writable", size: 4096)
        #expect(throws: PackedDirectory.Malformed.self) {
            _ = try PackedDirectory(received: try open.fd.duplicate(), size: 16)
        }
    }
}
