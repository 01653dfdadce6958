import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    /// The trigger form below a real overlay on a real image.
    @Suite struct SealedTests {
        private static let count = 40

        private static func tree() throws -> FakeTree {
            var items: [(String, FakeItem)] = [("link", .link(Array("d0/f".utf8)))]
            for index in 0..<count { items.append(("d\(index)", .folder([("f", .text("contents \(index)"))]))) }
            return try FakeTree(items)
        }

        private static func text(_ index: Int) -> [UInt8] {
            Array("contents \(index)".utf8)
        }

        @Test func aColdOpenCostsTwoLookupsAndAWarmOneNothing() throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree)
            _ = try stack.start()
            let overlay = try stack.overlay()
            // The way to the first object is looked up once for a mount.
            #expect(try Fd.contents(overlay.raw, "d0/f") == Self.text(0))
            for index in 1..<Self.count {
                let before = stack.served
                #expect(try Fd.contents(overlay.raw, "d\(index)/f") == Self.text(index))
                #expect(stack.served - before <= 2)
                #expect(stack.trigger.owner.count(tree.ids["d\(index)/f"]!) == 1)
            }
            let before = stack.served
            let other = try stack.overlay()
            for index in 0..<Self.count {
                #expect(try Fd.contents(overlay.raw, "d\(index)/f") == Self.text(index))
                #expect(try Fd.contents(other.raw, "d\(index)/f") == Self.text(index))
            }
            #expect(try Fd.contents(other.raw, "link") == Self.text(0))
            // Making the other overlay looks at its layers; reading in it asks for nothing.
            #expect(stack.served - before <= 8)
            #expect(stack.trigger.owner.asked.count == Self.count)
        }

        @Test func metadataCostsNothing() throws {
            let stack = try SealedStack(try Self.tree())
            _ = try stack.start()
            let overlay = try stack.overlay()
            let before = stack.served
            for index in 0..<Self.count {
                #expect(try Fd.status(overlay.raw, "d\(index)/f").st_size == Self.text(index).count)
                #expect(try Fd.list(overlay.raw, "d\(index)").map(\.name) == [Array("f".utf8)])
            }
            #expect(stack.served == before)
        }

        @Test(arguments: [
            (CacheError.Code.timedOut, Errno.timedOut), (.unreachable, .ioError), (.noSpace, .noSpace),
            (.notFound, .ioError), (.corrupt, .ioError),
        ])
        func theReaderLearnsWhyAndMayTryAgainAtOnce(_ code: CacheError.Code, _ errno: Errno) throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree)
            _ = try stack.start()
            let overlay = try stack.overlay()
            let id = tree.ids["d3/f"]!
            for _ in 0..<3 {
                stack.trigger.owner.fail(id, code)
                for _ in 0..<2 {
                    #expect(Fd.failure { _ = try Fd.contents(overlay.raw, "d3/f") } == errno)
                }
            }
            #expect(stack.trigger.owner.count(id) == 6, "each attempt asks")
            #expect(stack.trigger.memory.value(.failures) == 6, "each failure is counted once")
            stack.trigger.owner.fail(id, nil)
            #expect(try Fd.contents(overlay.raw, "d3/f") == Self.text(3))
        }

        @Test func everyReaderLearnsItsOwnReason() throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree)
            _ = try stack.start()
            let overlay = try stack.overlay()
            let root = overlay.raw
            let failing = (0..<8).map { tree.ids["d\($0)/f"]! }
            for (index, id) in failing.enumerated() {
                stack.trigger.owner.hold(id)
                stack.trigger.owner.fail(id, index % 2 == 0 ? .timedOut : .unreachable)
            }
            let readers = try (0..<32).map { number in
                try Background { Fd.failure { _ = try Fd.contents(root, "d\(number % 8)/f") } }
            }
            try stack.trigger.owner.wait { failing.allSatisfy { stack.trigger.owner.count($0) >= 1 } }
            for id in failing { stack.trigger.owner.release(id) }
            for (number, reader) in readers.enumerated() {
                #expect(reader.join() == .some(number % 2 == 0 ? .timedOut : .ioError))
            }
        }

        @Test func anOwnerThatIsSilentIsATimeout() throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree, timeout: .milliseconds(100))
            _ = try stack.start()
            let overlay = try stack.overlay()
            let id = tree.ids["d0/f"]!
            stack.trigger.owner.hold(id)
            #expect(Fd.failure { _ = try Fd.contents(overlay.raw, "d0/f") } == .timedOut)
            stack.trigger.owner.release(id)
            #expect(try Fd.contents(overlay.raw, "d0/f") == Self.text(0))
        }

        @Test func whatWasEvictedIsFetchedAgain() throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree)
            _ = try stack.start()
            let id = tree.ids["d0/f"]!
            let first = try stack.overlay()
            #expect(try Fd.contents(first.raw, "d0/f") == Self.text(0))
            stack.store.evict(id)
            #expect(try Fd.contents(first.raw, "d0/f") == Self.text(0), "what overlayfs holds stays readable")
            let second = try stack.overlay()
            #expect(try Fd.contents(second.raw, "d0/f") == Self.text(0))
            #expect(stack.trigger.owner.count(id) == 2)
        }

        @Test func pendingLookupsSurviveTheWorker() throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree)
            let first = try stack.start()
            let overlay = try stack.overlay()
            let root = overlay.raw
            let ids = (0..<Self.count).map { tree.ids["d\($0)/f"]! }
            for id in ids { stack.trigger.owner.hold(id) }
            // One of them fails after the takeover.
            stack.trigger.owner.fail(ids[7], .timedOut)
            let readers = try (0..<Self.count).map { index in
                try Background {
                    Result { try Fd.contents(root, "d\(index)/f") }.mapError {
                        $0 as? SystemError ?? SystemError(.ioError, "")
                    }
                }
            }
            try stack.trigger.owner.wait { ids.allSatisfy { stack.trigger.owner.count($0) == 1 } }
            let spare = try TestWorker()
            first.kill()
            for id in ids { stack.trigger.owner.release(id) }
            #expect(readers.allSatisfy { !$0.isDone })
            try stack.trigger.assume(spare)
            for (index, reader) in readers.enumerated() {
                let result = try #require(reader.join())
                if index == 7 {
                    #expect(throws: SystemError.self) { try result.get() }
                    if case .failure(let error) = result { #expect(error.errno == .timedOut) }
                } else {
                    #expect(try result.get() == Self.text(index))
                }
            }
            #expect(stack.trigger.memory.value(.resent) > 0)
        }

        @Test func killingWorkersAllTheTimeIsNoError() throws {
            let tree = try Self.tree()
            let stack = try SealedStack(tree)
            var worker = try stack.start()
            let overlay = try stack.overlay()
            let root = overlay.raw
            let store = stack.store
            let ids = (0..<Self.count).map { tree.ids["d\($0)/f"]! }
            let stopping = Guarded(false)
            let readers = try (0..<3).map { _ in
                try Background { () -> [String] in
                    var errors: [String] = []
                    while !stopping.with({ $0 }) {
                        for index in 0..<Self.count {
                            do {
                                let bytes = try Fd.contents(root, "d\(index)/f")
                                if bytes != Self.text(index) { errors.append("d\(index): other bytes") }
                            } catch {
                                errors.append("\(error)")
                            }
                        }
                    }
                    return errors
                }
            }
            for round in 0..<20 {
                let spare = try TestWorker()
                // Cold again: overlayfs has to look everything up.
                for id in ids where round % 2 == 0 { store.evict(id, minimumAge: .seconds(1)) }
                try? Array("2".utf8).withUnsafeBytes { bytes in
                    let file = try File.open("/proc/sys/vm/drop_caches", O_WRONLY)
                    try File.write(file.raw, bytes)
                }
                worker.kill()
                try stack.trigger.assume(spare)
                worker = spare
            }
            stopping.with { $0 = true }
            for reader in readers { #expect(reader.join() == []) }
        }

        @Test func aLargeObjectIsReadPieceByPieceAlsoAfterATakeover() throws {
            let size = 5_000_000
            let big = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 4096 &* 31 &+ $0) }
            let tree = try FakeTree([("big", .file(big)), ("f", .text("small"))])
            let stack = try SealedStack(tree)
            let id = tree.ids["big"]!
            let store = stack.store
            stack.trigger.owner.onProvide { $0 == id ? .large(size: UInt64(size)) : store.provide($0) }
            let first = try stack.start()
            let overlay = try stack.overlay()
            stack.trigger.owner.hold(id)
            let root = overlay.raw
            let opened = try Background { try? SharedFD(File.open(at: root, "big", O_RDONLY)) }
            try stack.trigger.owner.wait { stack.trigger.owner.count(id) == 1 }
            stack.trigger.owner.release(id)
            let file = try #require(opened.join() ?? nil)
            #expect(stack.trigger.owner.asked == [.provide(id)], "opening moves no data")
            #expect(try File.size(of: file.raw) == UInt64(size))
            let spare = try TestWorker()
            first.kill()
            try stack.trigger.assume(spare)
            #expect(stack.trigger.memory.blockCount == 2)
            var bytes = [UInt8](repeating: 0, count: size + 1)
            let read = try bytes.withUnsafeMutableBytes { try File.read(file.raw, into: $0, at: 0) }
            #expect(read == size && Array(bytes.prefix(size)) == big)
            #expect(stack.trigger.owner.asked.contains(.open(id, expectedSize: UInt64(size))))
            #expect(try Fd.contents(overlay.raw, "f") == Array("small".utf8))
        }

        @Test func theProbePrimesThisFormToo() throws {
            let stack = try SealedStack(try Self.tree())
            _ = try stack.start()
            #expect(try Fd.contents(stack.trigger.root, ".probe-4711").isEmpty)
            #expect(try Fd.list(stack.trigger.root, ".").isEmpty)
            #expect(try Fd.list(stack.trigger.root, "t").isEmpty)
            #expect(Fd.failure { _ = try Fd.status(stack.trigger.root, "x") } == .notFound)
        }
    }
}
