import GitObjects
import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    /// A worker's beginning and end.
    @Suite struct LifecycleTests {
        private static func tree() throws -> FakeTree {
            try FakeTree([("a", .text("a")), ("b", .text("b"))])
        }

        @Test func aSpareAnswers() throws {
            let worker = try TestWorker()
            #expect(try worker.status() == WorkerStatus())
            #expect(throws: TestWorker.Refused.self) {
                let (socket, _) = try MessageSocket.pair()
                _ = try worker.call(.reconnectCache, fds: [socket.raw])
            }
            #expect(try worker.call(.stop) == .stopping)
            #expect(worker.end() == .code(0))
        }

        @Test func endsWithTheMount() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try mount.startWorker()
            #expect(try Fd.contents(mount.root, "a") == [0x61])
            mount.unmount()
            #expect(worker.end() == .code(0))
        }

        @Test func endsWithTheConnection() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try mount.startWorker()
            try mount.abort()
            #expect(worker.end() == .code(0))
            #expect(Fd.failure { _ = try Fd.status(mount.root, "b") } == .notConnected)
        }

        @Test func stopsAndIsReplaced() throws {
            let mount = try TestMount(try Self.tree())
            let first = try mount.startWorker()
            #expect(try Fd.contents(mount.root, "a") == [0x61])
            #expect(try first.call(.stop) == .stopping)
            #expect(first.end() == .code(0))
            try mount.startWorker()
            #expect(try Fd.contents(mount.root, "b") == [0x62])
        }

        @Test func servesAndTakesOverWithoutPrivileges() throws {
            let mount = try TestMount(try Self.tree())
            let first = try TestWorker(uid: 65534)
            try mount.assume(first)
            #expect(try Fd.contents(mount.root, "a") == [0x61])
            first.kill()
            try mount.assume(try TestWorker(uid: 65534))
            #expect(try Fd.contents(mount.root, "b") == [0x62])
        }

        @Test func outlivesItsSupervisor() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try mount.startWorker()
            try worker.disconnect()
            #expect(try Fd.contents(mount.root, "a") == [0x61])
            try worker.connectAgain()
            #expect(try worker.status().serving)
            #expect(try worker.status().served > 0)
            // A third one comes while the second still holds its connection.
            try worker.connectAgain()
            #expect(try worker.status().serving)
        }

        @Test func refusesAnotherVersion() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try TestWorker()
            let (one, two) = try MessageSocket.pair()
            let refusal = #expect(throws: TestWorker.Refused.self) {
                try worker.call(
                    .assume(version: 999, mount: "m"), fds: [mount.memory.fd.raw, one.raw, two.raw])
            }
            #expect(refusal?.message.contains("version") == true)
            #expect(worker.end() == .code(1))
        }

        @Test func refusesAMemoryThatIsNone() throws {
            let worker = try TestWorker()
            let (one, two) = try MessageSocket.pair()
            let memory = try SharedMemory(name: "other", size: 8192)
            let refusal = #expect(throws: TestWorker.Refused.self) {
                try worker.call(
                    .assume(version: WorkerProtocolVersion.newest, mount: "m"),
                    fds: [one.raw, memory.fd.raw, two.raw])
            }
            #expect(refusal?.message.contains("session memory") == true)
            #expect(worker.end() == .code(1))
        }

        @Test func refusesMissingDescriptors() throws {
            let worker = try TestWorker()
            #expect(throws: TestWorker.Refused.self) {
                try worker.call(.assume(version: WorkerProtocolVersion.newest, mount: "m"))
            }
            #expect(worker.end() == .code(1))
        }

        @Test func servesOneMountOnly() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try mount.startWorker()
            #expect(throws: TestWorker.Refused.self) { try mount.assume(worker) }
            #expect(try Fd.contents(mount.root, "a") == [0x61])
        }

        @Test func opensAreNotSentOnceTheProbeWasOpened() throws {
            let mount = try TestMount(try Self.tree())
            try mount.startWorker()
            #expect(try Fd.contents(mount.root, ".probe-4711") == [])
            #expect(try Fd.contents(mount.root, "a") == [0x61])
            _ = try Fd.list(mount.root, ".")
            let turns = mount.memory.value(.readerTurns)
            #expect(try Fd.contents(mount.root, "a") == [0x61])
            #expect(mount.memory.value(.readerTurns) == turns, "a cached file is read without the worker")
        }
    }
}
