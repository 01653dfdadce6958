import CacheProtocol
import GitObjects
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

/// The trigger form without a kernel.
@Suite struct TriggerLowerTests {
    private let memory: SessionMemory
    private var lower: TriggerLower
    private static let id = FakeTree.id(77)

    init() throws {
        memory = try SessionMemory(
            initRequest: [], initReply: [],
            parameters: SessionParameters(
                root: .emptyTreeSHA1, time: 0, uid: 0, gid: 0, probeName: ".probe", requestTimeout: 1, minimumRate: 1,
                form: .trigger),
            blockCapacity: 4)
        lower = try TriggerLower(try memory.parameters(), memory: memory, limits: TriggerLower.Limits(failures: 4))
    }

    private mutating func takeOver() throws {
        lower = try TriggerLower(try memory.parameters(), memory: memory)
    }

    private mutating func lookup(_ name: String, in node: UInt64, asker: Int32 = 1) -> Step {
        lower.step(Operation(.lookup(name: Array(name.utf8)), node: node, asker: asker))
    }

    private mutating func node(_ path: String) throws -> UInt64 {
        var node: UInt64 = 1
        for name in path.split(separator: "/") {
            guard case .reply(.entry(let attributes?)) = lookup(String(name), in: node) else {
                throw SystemError(.notFound, path)
            }
            #expect(attributes.isCacheable)
            node = attributes.node
        }
        return node
    }

    private static var directory: String { "\(StoreLayout.objects)/\(id.hex.prefix(2))" }
    private static var name: String { String(id.hex.dropFirst(2)) }

    private mutating func operation(_ side: String, asker: Int32 = 1) throws -> Operation {
        Operation(.lookup(name: Array(Self.name.utf8)), node: try node("\(side)/\(Self.directory)"), asker: asker)
    }

    private mutating func errno(asker: Int32 = 1) throws -> Errno? {
        guard case .reply(.failure(let failure)) = lower.step(try operation("e", asker: asker)) else { return nil }
        return failure.errno
    }

    @Test mutating func theTwoTreesAreThereWithoutBeingAskedFor() throws {
        var seen = Set<UInt64>([1])
        for side in ["t", "e"] {
            #expect(seen.insert(try node(side)).inserted)
            #expect(seen.insert(try node("\(side)/\(StoreLayout.objects)")).inserted)
            for byte in 0..<256 {
                let hex = (byte < 16 ? "0" : "") + String(byte, radix: 16)
                let node = try node("\(side)/\(StoreLayout.objects)/\(hex)")
                #expect(seen.insert(node).inserted)
                #expect(TriggerNode(node)?.number == node)
                guard case .reply(.entry(let parent?)) = lookup("..", in: node) else {
                    Issue.record("no parent")
                    return
                }
                #expect(parent.node == (try self.node("\(side)/\(StoreLayout.objects)")))
            }
        }
        #expect(seen.count == 1 + 2 * 258)
        #expect(memory.blockCount == 1)
    }

    @Test mutating func nothingElseIsThere() throws {
        for (path, name) in [
            ("", "x"), ("t", "objects"), ("t/\(StoreLayout.objects)", "abc"), ("t/\(StoreLayout.objects)", "AB"),
            ("t/\(Self.directory)", "12"), ("t/\(Self.directory)", String(repeating: "g", count: 38)),
            ("e/\(Self.directory)", String(repeating: "A", count: 38)),
        ] {
            let node = try node(path)
            guard case .reply(.entry(nil)) = lookup(name, in: node) else {
                Issue.record("\(path)/\(name)")
                continue
            }
        }
        guard case .reply(.failure(let failure)) = lookup(".former-objects", in: try node("e")) else {
            Issue.record("a redirect that leads nowhere is no absence")
            return
        }
        #expect(failure.errno == .ioError)
        for node: UInt64 in [0, 6, 0xFF, 0x300, 0x1000, .max] {
            guard case .reply(.failure(let failure)) = lower.step(Operation(.attributes, node: node)) else {
                Issue.record("node \(node)")
                continue
            }
            #expect(failure.errno == .stale)
        }
    }

    @Test mutating func anObjectIsAskedForEachTimeAndNeverCachedAsAbsent() throws {
        let operation = try operation("t")
        for _ in 0..<2 {
            guard case .needs(.object(Self.id)) = lower.step(operation) else {
                Issue.record("not asked for")
                return
            }
            #expect(lower.supply(.object(Self.id), .provided) == nil)
            let supplied = Supplied(dependency: .object(Self.id), supply: .provided)
            guard case .reply(.absentNow) = lower.step(operation, supplied: supplied) else {
                Issue.record("overlayfs would not go on to the inbox")
                return
            }
        }
        // What came for another object is no answer.
        let other = Supplied(dependency: .object(FakeTree.id(1)), supply: .provided)
        guard case .needs = lower.step(operation, supplied: other) else {
            Issue.record("not asked for")
            return
        }
        #expect(lower.supply(.object(Self.id), .stat(mode: 0, size: 0))?.errno == .ioError)
    }

    @Test mutating func longIDsAreObjectsToo() throws {
        let id = try #require(ObjectID(kind: .sha256, bytes: (0..<32).map { UInt8($0) }))
        let node = try node("t/\(StoreLayout.objects)/00")
        guard case .needs(.object(id)) = lookup(String(id.hex.dropFirst(2)), in: node) else {
            Issue.record("not asked for")
            return
        }
    }

    @Test mutating func theReasonIsKeptForItsAskerOnly() throws {
        for (asker, errno) in [(1, Errno.timedOut), (2, .noSpace), (3, .interrupted)] as [(Int32, Errno)] {
            let answer = lower.answer(try operation("t", asker: asker), failing: Failure(errno, "why"))
            guard case .absentNow = answer else {
                Issue.record("\(answer)")
                return
            }
        }
        #expect(try errno(asker: 2) == .noSpace)
        #expect(try errno(asker: 1) == .timedOut)
        #expect(try errno(asker: 3) == .interrupted)
        #expect(try errno(asker: 4) == .ioError, "never an absence")
        #expect(try errno(asker: 1) == .ioError, "a reason is told once")
    }

    @Test mutating func reasonsAreBounded() throws {
        for asker in 1...6 as ClosedRange<Int32> {
            _ = lower.answer(try operation("t", asker: asker), failing: Failure(.timedOut, "why"))
        }
        #expect(try errno(asker: 1) == .ioError)
        #expect(try errno(asker: 6) == .timedOut)
    }

    @Test mutating func largeObjectsAreFilesWithAPlaceInTheTable() throws {
        let supplied = Supplied(dependency: .object(Self.id), supply: .large(size: 1 << 40))
        var attributes: [Attributes] = []
        for _ in 0..<2 {
            let operation = try operation("t")
            guard case .reply(.entry(let found?)) = lower.step(operation, supplied: supplied) else {
                Issue.record("no file")
                return
            }
            attributes.append(found)
            try takeOver()
        }
        #expect(attributes[0] == attributes[1], "the next worker has the same node")
        #expect(attributes[0].size == 1 << 40 && attributes[0].mode == 0o100444 && attributes[0].isCacheable)
        let read = Operation(.read(offset: (1 << 40) - 10, count: 4096), node: attributes[0].node)
        guard case .needs(let dependency) = lower.step(read) else {
            Issue.record("no question")
            return
        }
        #expect(dependency == .blob(Self.id, size: 1 << 40))
        #expect(lower.supply(dependency, .blob(.bytes([1])))?.errno == .ioError)
        let end = Operation(.read(offset: 1 << 40, count: 1), node: attributes[0].node)
        guard case .reply(.data(_, _, 0)) = lower.step(end) else {
            Issue.record("not the end")
            return
        }
        // The table has room for three.
        for number in 1...3 as ClosedRange<UInt64> {
            let id = FakeTree.id(number)
            let node = try node("t/\(StoreLayout.objects)/\(id.hex.prefix(2))")
            let operation = Operation(.lookup(name: Array(id.hex.dropFirst(2).utf8)), node: node, asker: 9)
            let step = lower.step(
                operation, supplied: Supplied(dependency: .object(id), supply: .large(size: number)))
            if number < 3 {
                guard case .reply(.entry(_?)) = step else {
                    Issue.record("no file")
                    return
                }
            } else {
                guard case .reply(.absentNow) = step else {
                    Issue.record("a full table is no absence of the object")
                    return
                }
            }
        }
    }

    @Test func aTableOfAnotherFormIsRefused() throws {
        memory.append(DirectoryBlock(base: 2, count: 5, parent: 1, directory: Self.id))
        #expect(throws: SystemError.self) {
            _ = try TriggerLower(try memory.parameters(), memory: memory)
        }
    }

    @Test mutating func theProbeIsHereToo() throws {
        guard case .reply(.entry(let probe?)) = lookup(".probe", in: 1) else {
            Issue.record("no probe")
            return
        }
        #expect(probe.node == Lower.probeNode && !probe.isCacheable)
        guard case .reply(.data(_, _, 0)) = lower.step(Operation(.read(offset: 0, count: 9), node: probe.node)) else {
            Issue.record("not empty")
            return
        }
        guard case .reply(.entry(nil)) = lookup(".probe", in: try node("t")) else {
            Issue.record("a probe in t")
            return
        }
    }

    @Test mutating func directoriesListNothing() throws {
        let node = try node("t/\(Self.directory)")
        let list = Operation(.list(offset: 0, count: 4096, attributes: true), node: node)
        guard case .reply(.listing(let listing)) = lower.step(list) else {
            Issue.record("no listing")
            return
        }
        #expect(listing.total == 2)
        #expect(listing.parent == (try self.node("t/\(StoreLayout.objects)")))
    }
}
