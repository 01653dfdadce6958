import GitObjects
import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    /// Workers that die and are replaced on the same connection.
    @Suite struct TakeoverTests {
        private static func tree() throws -> FakeTree {
            var items: [(String, FakeItem)] = []
            for index in 0..<40 {
                items.append(
                    ("d\(index)", .folder([("small", .text("small \(index)")), ("big", .file(Self.big(index)))])))
            }
            return try FakeTree(items)
        }

        private static let bigs: [[UInt8]] = (0..<40).map { index in
            (0..<200).flatMap { [UInt8](repeating: UInt8(truncatingIfNeeded: $0 &* 7 &+ index), count: 1000) }
        }

        private static func big(_ index: Int) -> [UInt8] {
            bigs[index]
        }

        @Test func aRequestTheDeadWorkerTookIsAnsweredByTheNext() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let first = try mount.startWorker()
            let root = mount.root
            let id = tree.ids["d0/small"]!
            let directory = tree.ids["d1"]!
            mount.owner.hold(id)
            mount.owner.hold(directory)
            let reader = try Background { try? Fd.contents(root, "d0/small") }
            let lookup = try Background { (try? Fd.status(root, "d1/small"))?.st_size }
            try mount.owner.wait { mount.owner.count(id) == 1 && mount.owner.count(directory) == 1 }
            let spare = try TestWorker()
            first.kill()
            mount.owner.release(id)
            mount.owner.release(directory)
            #expect(!reader.isDone)
            try mount.assume(spare)
            #expect(reader.join() == Array("small 0".utf8))
            #expect(lookup.join() == 7)
        }

        @Test func nodesKeepTheirNumbers() throws {
            let mount = try TestMount(try Self.tree())
            let first = try mount.startWorker()
            let before = try (0..<40).map { try Fd.status(mount.root, "d\($0)/small").st_ino }
            #expect(Set(before).count == 40)
            let directories = try first.status().directories
            #expect(directories == 41)
            first.kill()
            let second = try mount.startWorker()
            #expect(try second.status().directories == directories)
            for index in (0..<40).reversed() {
                // Listed anew, because the kernel's entries do not show what the worker would say.
                let listed = try Fd.list(mount.root, "d\(index)")
                #expect(listed.first { $0.name == Array("small".utf8) }?.node == UInt64(before[index]))
                #expect(try Fd.contents(mount.root, "d\(index)/big") == Self.big(index))
            }
        }

        @Test func readersNoticeNothing() throws {
            let mount = try TestMount(try Self.tree())
            var worker = try mount.startWorker()
            let root = mount.root
            let stopping = Guarded(false)
            let readers = try (0..<4).map { reader in
                try Background { () -> [String] in
                    var errors: [String] = []
                    var round = 0
                    while !stopping.with({ $0 }) && errors.count < 5 {
                        round += 1
                        let index = (round &* 7 &+ reader &* 11) % 40
                        do {
                            // Past the page cache, so that every round asks the worker.
                            let bytes = try Self.direct(root, "d\(index)/big")
                            if bytes != Self.big(index) { errors.append("d\(index)/big: other bytes") }
                            if Fd.failure({ _ = try Fd.status(root, "d\(index)/none-\(reader)-\(round)") }) != .notFound
                            {
                                errors.append("d\(index): a missing name is not missing")
                            }
                            if try Fd.list(root, "d\(index)").count != 2 { errors.append("d\(index): other entries") }
                        } catch {
                            errors.append("\(error)")
                        }
                    }
                    return errors
                }
            }
            for _ in 0..<40 {
                let spare = try TestWorker()
                let served = mount.memory.value(.served)
                while mount.memory.value(.served) < served + 50 && readers.allSatisfy({ !$0.isDone }) { sched_yield() }
                worker.kill()
                try mount.assume(spare)
                worker = spare
            }
            stopping.with { $0 = true }
            for reader in readers { #expect(reader.join() == []) }
            #expect(mount.memory.value(.failures) == 0)
        }

        /// O_DIRECT of the kernel's asm-generic/fcntl.h on this architecture.
        #if arch(arm64)
        private static let directIO: Int32 = 0o200000
        #else
        private static let directIO: Int32 = 0o40000
        #endif

        private static func direct(_ root: Int32, _ path: String) throws -> [UInt8] {
            let file = try File.open(at: root, path, O_RDONLY | directIO)
            let size = 256 * 1024
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
            defer { buffer.deallocate() }
            let n = try check(pread(file.raw, buffer.baseAddress, size, 0), "pread", path)
            return Array(buffer.prefix(n))
        }

        @Test func aPrimedMountLetsAJobExitWithoutAWorker() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try mount.startWorker()
            _ = try Fd.contents(mount.root, ".probe-4711")
            var numbers: [Int32] = [-1, -1]
            try check(pipe(&numbers), "pipe")
            let input = OwnedFD(taking: numbers[0])
            let output = OwnedFD(taking: numbers[1])
            // Keeps the file open and has never closed one: a close would teach the kernel what the probe has to.
            let job = try ChildProcess.spawn(
                ProcessSpec(
                    path: "/usr/bin/tail", arguments: ["-f", "/proc/self/fd/3/d0/small"],
                    fds: [nil, output.raw, nil, mount.root]))
            var byte: UInt8 = 0
            #expect(read(input.raw, &byte, 1) == 1)
            worker.kill()
            job.signal(SIGKILL)
            #expect(job.waitForEnd(until: .after(.seconds(20))))
            #expect(job.reap() == .signal(SIGKILL))
        }
    }
}
