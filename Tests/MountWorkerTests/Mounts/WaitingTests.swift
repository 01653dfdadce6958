import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing
import WireFormat
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    /// Operations that wait for the cache owner.
    @Suite struct WaitingTests {
        private static func tree() throws -> FakeTree {
            var items: [(String, FakeItem)] = []
            for index in 0..<8 { items.append(("slow\(index)", .text("slow \(index)"))) }
            for index in 0..<50 { items.append(("fast\(index)", .text("fast \(index)"))) }
            items.append(("dir", .folder([("in", .text("inside"))])))
            return try FakeTree(items)
        }

        @Test func aColdReadDelaysNobody() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let worker = try mount.startWorker()
            let root = mount.root
            // More cold reads than the worker has threads.
            let slow = (0..<8).map { tree.ids["slow\($0)"]! } + [tree.ids["dir"]!]
            for id in slow { mount.owner.hold(id) }
            let readers = try (0..<8).map { index in
                try Background { (try? Fd.contents(root, "slow\(index)")).map { String(decoding: $0, as: UTF8.self) } }
            }
            let walker = try Background { (try? Fd.status(root, "dir/in"))?.st_size }
            try mount.owner.wait { slow.allSatisfy { mount.owner.count($0) == 1 } }
            for index in 0..<50 {
                #expect(try Fd.contents(root, "fast\(index)") == Array("fast \(index)".utf8))
            }
            #expect(readers.allSatisfy { !$0.isDone })
            let status = try worker.status()
            #expect(status.waiting >= 9)
            #expect(status.oldestWait > 0)
            for id in slow { mount.owner.release(id) }
            for (index, reader) in readers.enumerated() { #expect(reader.join() == "slow \(index)") }
            #expect(walker.join() == 6)
            #expect(try worker.status().waiting == 0)
            #expect(try worker.status().failures == 0)
        }

        @Test func manyWaitersAreOneQuestion() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let worker = try mount.startWorker()
            let root = mount.root
            let id = tree.ids["dir"]!
            mount.owner.hold(id)
            let stats = try (0..<6).map { index in
                try Background {
                    (try? Fd.status(root, "dir/none\(index)")) == nil && (try? Fd.status(root, "dir/in")) != nil
                }
            }
            while try worker.status().waiting < 6 { sched_yield() }
            #expect(mount.owner.count(id) == 1)
            mount.owner.release(id)
            for stat in stats { #expect(stat.join() == true) }
            #expect(mount.owner.count(id) == 1)
        }

        @Test func deadlinesTravelAndAreKept() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree, timeout: .milliseconds(300))
            let worker = try mount.startWorker()
            #expect(try Fd.status(mount.root, "slow0").st_size == 6)
            mount.owner.hold(tree.ids["slow0"]!)
            let begin = Deadline.now
            #expect(Fd.failure { _ = try Fd.contents(mount.root, "slow0") } == .timedOut)
            #expect(Deadline.now > begin.advanced(by: .milliseconds(300)))
            let header = try #require(mount.owner.headers.last)
            #expect(header.deadline > begin.advanced(by: .milliseconds(300)))
            #expect(header.deadline < Deadline.now)
            #expect(try worker.status().failures > 0)
            // The question that nobody waits for any more is taken back, and the file can be read when its contents come.
            try mount.owner.wait { !mount.owner.cancelled.isEmpty }
            mount.owner.release(tree.ids["slow0"]!)
            #expect(try Fd.contents(mount.root, "slow0") == Array("slow 0".utf8))
        }

        @Test func errorsKeepTheirKind() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let worker = try mount.startWorker()
            let expected: [(CacheError.Code, Errno)] = [
                (.notFound, .ioError), (.unreachable, .ioError), (.corrupt, .ioError), (.timedOut, .timedOut),
            ]
            for (code, errno) in expected {
                mount.owner.fail(tree.ids["dir"]!, code)
                #expect(Fd.failure { _ = try Fd.status(mount.root, "dir/in") } == errno)
                mount.owner.fail(tree.ids["slow1"]!, code)
                #expect(Fd.failure { _ = try Fd.contents(mount.root, "slow1") } == errno)
            }
            #expect(try worker.status().failures >= 8)
            mount.owner.fail(tree.ids["dir"]!, nil)
            mount.owner.fail(tree.ids["slow1"]!, nil)
            #expect(try Fd.contents(mount.root, "dir/in") == Array("inside".utf8))
            #expect(try Fd.contents(mount.root, "slow1") == Array("slow 1".utf8))
        }

        @Test(arguments: ["slow2", "dir/in"]) func aKilledReaderEndsAtOnce(_ path: String) throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let worker = try mount.startWorker()
            let id = tree.ids[path] ?? tree.root
            let held = path == "dir/in" ? tree.ids["dir"]! : id
            mount.owner.hold(held)
            let reader = try ChildProcess.spawn(
                ProcessSpec(path: "/bin/cat", arguments: ["/proc/self/fd/3/" + path], fds: [nil, nil, nil, mount.root]))
            try mount.owner.wait { mount.owner.count(held) == 1 }
            reader.signal(SIGKILL)
            #expect(reader.waitForEnd(until: .after(.seconds(20))))
            #expect(reader.reap() == .signal(SIGKILL))
            // A lookup is interrupted and its question taken back; contents go on to be fetched for the page cache.
            if path == "dir/in" {
                try mount.owner.wait { !mount.owner.cancelled.isEmpty }
                #expect(try worker.status().waiting == 0)
            }
            mount.owner.release(held)
            #expect(try !Fd.contents(mount.root, path).isEmpty)
        }

        @Test func pendingQuestionsSurviveTheOwner() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let worker = try mount.startWorker()
            let root = mount.root
            let id = tree.ids["slow3"]!
            mount.owner.hold(id)
            let reader = try Background { try? Fd.contents(root, "slow3") }
            try mount.owner.wait { mount.owner.count(id) == 1 }
            mount.owner.die()
            // Without an owner: what is known is served, what is not waits.
            #expect(try Fd.status(root, "fast1").st_size == 6)
            let late = try Background { try? Fd.contents(root, "fast7") }
            while try worker.status().waiting < 2 { sched_yield() }
            #expect(!reader.isDone)
            #expect(!late.isDone)
            mount.owner.release(id)
            try mount.reconnect(worker)
            #expect(reader.join() == Array("slow 3".utf8))
            #expect(late.join() == Array("fast 7".utf8))
            #expect(mount.owner.greetings == 2)
            #expect(mount.owner.count(id) == 2)
            #expect(try worker.status().failures == 0)
        }
    }
}
