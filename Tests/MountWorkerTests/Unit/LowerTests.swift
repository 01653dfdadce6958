import CacheProtocol
import GitObjects
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

/// The filesystem without a kernel: what it answers and what it asks for.
@Suite struct LowerTests {
    struct Fixture {
        var tree: FakeTree
        var memory: SessionMemory
        var lower: Lower
        var asked: [Dependency] = []

        init(_ items: [(String, FakeItem)], blocks: Int = 64, limits: Lower.Limits = Lower.Limits()) throws {
            tree = try FakeTree(items)
            memory = try SessionMemory(
                initRequest: [], initReply: [],
                parameters: SessionParameters(
                    root: tree.root, time: 0, uid: 0, gid: 0, probeName: ".probe", requestTimeout: 1, minimumRate: 1),
                blockCapacity: blocks)
            lower = Lower(try memory.parameters(), nodes: try NodeTable(memory), limits: limits)
        }

        /// What the next worker would begin with.
        mutating func takeOver() throws {
            lower = Lower(try memory.parameters(), nodes: try NodeTable(memory))
        }

        /// Steps until there is an answer, supplying what is asked for.
        mutating func run(_ kind: Operation.Kind, _ node: UInt64) throws -> Answer {
            let operation = Operation(kind, node: node)
            for _ in 0..<32 {
                switch lower.step(operation) {
                case .reply(let answer): return answer
                case .needs(let dependency):
                    asked.append(dependency)
                    if let failure = lower.supply(dependency, try supply(dependency)) { return .failure(failure) }
                }
            }
            throw SystemError(.timedOut, "an operation asks for ever")
        }

        func supply(_ dependency: Dependency) throws -> Supply {
            switch dependency {
            case .object: return .provided
            case .directory(let id): return .directory(try PackedDirectory(tree.directories[id] ?? []))
            case .stat(let directory, let index):
                let detail = try #require(tree.details[directory]?[UInt32(index)])
                return .stat(mode: detail.mode.rawValue, size: detail.size)
            case .blob(let id, _):
                guard case .bytes(let bytes) = tree.blobs[id] else { throw SystemError(.notFound, "blob") }
                return .blob(.bytes(bytes))
            }
        }

        mutating func lookup(_ name: String, in node: UInt64 = 1) throws -> Attributes? {
            switch try run(.lookup(name: Array(name.utf8)), node) {
            case .entry(let attributes): return attributes
            case .failure(let failure): throw failure
            default: throw SystemError(.protocolError, "lookup")
            }
        }

        mutating func node(_ path: String) throws -> UInt64 {
            var node: UInt64 = 1
            for name in path.split(separator: "/") {
                node = try #require(try lookup(String(name), in: node)).node
            }
            return node
        }

        mutating func failure(_ kind: Operation.Kind, _ node: UInt64) throws -> Errno? {
            if case .failure(let failure) = try run(kind, node) { return failure.errno }
            return nil
        }
    }

    private static let tree: [(String, FakeItem)] = [
        ("a", .folder([("x", .text("12345")), ("y", .folder([("z", .text("deep"))]))])),
        ("b", .text("bee")), ("empty", .folder([])), ("link", .link(Array("a/x".utf8))), ("mod", .submodule),
        ("run", .file([1, 2], executable: true)),
    ]

    @Test func nodesAreNumberedAsDirectoriesAreListed() throws {
        var fixture = try Fixture(Self.tree)
        #expect(try fixture.lookup("a")?.node == 2)
        #expect(try fixture.lookup("run")?.node == 7)
        #expect(try fixture.lookup("nothing", in: 4) == nil, "an empty directory takes no nodes")
        #expect(try fixture.lookup("x", in: 2)?.node == 8)
        #expect(try fixture.lookup("y", in: 2)?.node == 9)
        #expect(try fixture.lookup("z", in: 9)?.node == 10)
        #expect(fixture.memory.blockCount == 5)
        #expect(fixture.asked.count == 4, "each directory was asked for once")
    }

    @Test func aNewWorkerFindsTheSameNodes() throws {
        var fixture = try Fixture(Self.tree)
        _ = try fixture.node("a/y/z")
        _ = try fixture.lookup("none", in: 4)
        try fixture.takeOver()
        fixture.asked = []
        guard case .attributes(let attributes) = try fixture.run(.attributes, 10) else {
            Issue.record("no attributes")
            return
        }
        #expect(attributes == Attributes(node: 10, mode: 0o100644, size: 4))
        #expect(fixture.asked == [.directory(fixture.tree.ids["a/y"]!)])
        #expect(try fixture.node("a/y/z") == 10)
        #expect(fixture.memory.blockCount == 5)
        #expect(try fixture.failure(.attributes, 11) == .stale)
        #expect(try fixture.failure(.attributes, 0) == .stale)
    }

    @Test func refusesATableThatDoesNotFit() throws {
        let fixture = try Fixture(Self.tree)
        fixture.memory.append(DirectoryBlock(base: 5, count: 1, parent: 1, directory: fixture.tree.root))
        #expect(throws: SystemError.self) { _ = try NodeTable(fixture.memory) }
        let other = try Fixture(Self.tree)
        other.memory.append(DirectoryBlock(base: 2, count: 1, parent: 9, directory: other.tree.root))
        #expect(throws: SystemError.self) { _ = try NodeTable(other.memory) }
    }

    @Test func attributesFollowTheEntry() throws {
        var fixture = try Fixture(Self.tree)
        #expect(try fixture.lookup("b") == Attributes(node: 3, mode: 0o100644, size: 3))
        #expect(try fixture.lookup("run")?.mode == 0o100755)
        #expect(try fixture.lookup("link") == Attributes(node: 5, mode: 0o120777, size: 3))
        #expect(try fixture.lookup("mod") == Attributes(node: 6, mode: 0o040755, size: 0))
        #expect(try fixture.lookup("none") == nil)
        #expect(try fixture.lookup("x", in: 6) == nil, "a submodule is empty")
        #expect(try fixture.failure(.lookup(name: Array("x".utf8)), 3) == .notADirectory)
        #expect(try fixture.failure(.lookup(name: [UInt8](repeating: 0x61, count: 256)), 1) == .nameTooLong)
    }

    @Test func dotAndDotDotAreAnswered() throws {
        var fixture = try Fixture(Self.tree)
        let node = try fixture.node("a/y/z")
        #expect(try fixture.lookup(".", in: node)?.node == node)
        #expect(try fixture.lookup("..", in: node)?.node == 9)
        #expect(try fixture.lookup("..", in: 9)?.node == 2)
        #expect(try fixture.lookup("..", in: 1)?.node == 1)
    }

    @Test func readsWithinTheFile() throws {
        var fixture = try Fixture(Self.tree)
        let node = try fixture.node("a/x")
        guard case .data(.bytes(let bytes), 3, 2) = try fixture.run(.read(offset: 3, count: 4096), node) else {
            Issue.record("wrong range")
            return
        }
        #expect(bytes == Array("12345".utf8))
        fixture.asked = []
        guard case .data(_, _, 0) = try fixture.run(.read(offset: 5, count: 10), node) else {
            Issue.record("not the end")
            return
        }
        #expect(fixture.asked.isEmpty)
        #expect(try fixture.failure(.read(offset: 0, count: 1), 2) == .isADirectory)
        #expect(try fixture.failure(.read(offset: 0, count: 1), 5) == .invalidArgument)
    }

    @Test func contentsOfAnotherLengthAreRefused() throws {
        var fixture = try Fixture(Self.tree)
        _ = try fixture.node("b")
        let dependency = Dependency.blob(fixture.tree.ids["b"]!, size: 3)
        #expect(fixture.lower.supply(dependency, .blob(.bytes([1])))?.errno == .ioError)
        #expect(fixture.lower.supply(dependency, .stat(mode: 0, size: 0))?.errno == .ioError)
    }

    @Test func linksThatNobodyCouldFollowAreRefused() throws {
        var fixture = try Fixture([
            ("empty", .link([])), ("good", .link([UInt8](repeating: 0x61, count: 4095))),
            ("long", .link([UInt8](repeating: 0x61, count: 4096))), ("nul", .link([0x61, 0, 0x62])),
        ])
        for name in ["empty", "long", "nul"] {
            let node = try fixture.node(name)
            #expect(try fixture.failure(.readLink, node) == .ioError, "\(name)")
        }
        let node = try fixture.node("good")
        guard case .link(let target) = try fixture.run(.readLink, node) else {
            Issue.record("no target")
            return
        }
        #expect(target.count == 4095)
    }

    @Test func sizesAreAskedForNeverGuessed() throws {
        var fixture = try Fixture([("f", .unsized([1, 2, 3], executable: true)), ("g", .text("g"))])
        let attributes = try fixture.lookup("f")
        #expect(attributes == Attributes(node: 2, mode: 0o100755, size: 3))
        #expect(fixture.asked.contains(.stat(directory: fixture.tree.root, index: 0)))
        fixture.asked = []
        #expect(try fixture.lookup("f") == attributes)
        #expect(fixture.asked.isEmpty, "it is remembered")
        try fixture.takeOver()
        guard case .data(_, 0, 3) = try fixture.run(.read(offset: 0, count: 10), 2) else {
            Issue.record("no data after a takeover")
            return
        }
    }

    @Test func theProbeIsAnEmptyFileOfItsOwn() throws {
        var fixture = try Fixture(Self.tree)
        let probe = try #require(try fixture.lookup(".probe"))
        #expect(probe.node == Lower.probeNode)
        #expect(!probe.isCacheable)
        #expect(fixture.asked.isEmpty)
        #expect(try fixture.lookup(".probe", in: fixture.node("a")) == nil)
        guard case .data(_, _, 0) = try fixture.run(.read(offset: 0, count: 10), probe.node) else {
            Issue.record("not empty")
            return
        }
    }

    @Test func aFullTableIsAFailure() throws {
        var fixture = try Fixture(Self.tree, blocks: 2)
        #expect(try fixture.lookup("a")?.node == 2)
        #expect(try fixture.failure(.lookup(name: Array("x".utf8)), 2) == .ioError)
        #expect(try fixture.lookup("b")?.node == 3, "what has nodes goes on")
    }

    @Test func loopsOfTreesEnd() throws {
        // A tree that holds itself.
        let memory = try SessionMemory(
            initRequest: [], initReply: [],
            parameters: SessionParameters(
                root: FakeTree.id(1), time: 0, uid: 0, gid: 0, probeName: "p", requestTimeout: 1, minimumRate: 1),
            blockCapacity: 8192)
        var nodes = try NodeTable(memory)
        var node: UInt64 = 1
        for _ in 0..<NodeTable.maximumDepth { node = try nodes.add(directory: node, id: FakeTree.id(1), count: 1).base }
        #expect(throws: NodeTable.Refusal.tooDeep) { _ = try nodes.add(directory: node, id: FakeTree.id(1), count: 1) }
        #expect(try NodeTable(memory).count == NodeTable.maximumDepth)
    }

    @Test func anOwnerThatForgotADirectoryIsAFailure() throws {
        #expect(Failure(CacheError(.notFound, "")).errno == .ioError)
        #expect(Failure(CacheError(.timedOut, "")).errno == .timedOut)
        #expect(Failure(CacheError(.cancelled, "")).errno == .interrupted)
        #expect(Failure(CacheError(.unreachable, "")).counts)
        #expect(!Failure(CacheError(.cancelled, "")).counts)
        for code in CacheError.Code.allCases { #expect(Failure(CacheError(code, "")).errno != .notFound) }
    }

    @Test func smallCachesAskAgain() throws {
        var limits = Lower.Limits()
        limits.directories = 1
        limits.inlineBytes = 1
        var items: [(String, FakeItem)] = []
        for index in 0..<20 { items.append(("d\(index)", .folder([("f", .text("\(index)"))]))) }
        var fixture = try Fixture(items, limits: limits)
        for _ in 0..<2 {
            for index in 0..<20 {
                let node = try fixture.node("d\(index)/f")
                guard case .data(.bytes(let bytes), 0, _) = try fixture.run(.read(offset: 0, count: 9), node) else {
                    Issue.record("no data")
                    return
                }
                #expect(bytes == Array("\(index)".utf8))
            }
        }
        #expect(fixture.asked.count > 21 + 20, "the cache is smaller than the tree")
    }

    @Test func whatAChangelistHasChangedIsMarked() throws {
        let blob = ObjectID.emptyBlobSHA1
        let root = try #require(ObjectID(kind: .changed, bytes: [UInt8](repeating: 1, count: 32)))
        let listing = try PackedDirectory(
            DirectoryPacker.pack([
                DirectoryPacker.Item(name: [0x61], entry: PackedEntry(mode: .regular, id: blob, size: 0)),
                DirectoryPacker.Item(
                    name: [0x62], entry: PackedEntry(mode: .executable, flags: .changed, id: blob, size: 0)),
                DirectoryPacker.Item(
                    name: [0x63],
                    entry: PackedEntry(
                        mode: .regular, flags: [.changed, .sizeUnknown, .modeUnknown], id: blob, size: 0)),
            ]))
        let memory = try SessionMemory(
            initRequest: [], initReply: [],
            parameters: SessionParameters(
                root: root, time: 1, uid: 0, gid: 0, probeName: ".probe", requestTimeout: 1, minimumRate: 1,
                changeTime: 2),
            blockCapacity: 4)
        #expect(try memory.parameters().changeTime == 2)
        var lower = Lower(try memory.parameters(), nodes: try NodeTable(memory))
        func attributes(_ kind: Operation.Kind, _ node: UInt64) throws -> Attributes? {
            for _ in 0..<8 {
                switch lower.step(Operation(kind, node: node)) {
                case .reply(.entry(let found)): return found
                case .reply(.attributes(let found)): return found
                case .reply: return nil
                case .needs(.directory): #expect(lower.supply(.directory(root), .directory(listing)) == nil)
                case .needs(let dependency):
                    #expect(lower.supply(dependency, .stat(mode: FileMode.executable.rawValue, size: 5)) == nil)
                }
            }
            return nil
        }
        #expect(try attributes(.attributes, 1)?.isChanged == true)
        #expect(try attributes(.lookup(name: [0x61]), 1)?.isChanged == false)
        let known = try #require(try attributes(.lookup(name: [0x62]), 1))
        #expect(known.isChanged && known.mode == 0o100755)
        let found = try #require(try attributes(.lookup(name: [0x63]), 1))
        #expect(found.isChanged && found.mode == 0o100755 && found.size == 5)
    }
}
