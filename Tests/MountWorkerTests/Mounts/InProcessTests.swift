import GitObjects
import Glibc
import LinuxSystem
import Testing
import WireFormat
import WorkerProtocol

@testable import MountWorker

/// A worker as threads of the test, so that a sanitizer sees all of it at work: readers, the control thread, an owner that comes and goes.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: Environment.canMount)) struct InProcessTests {
    @Test func manyReadersAndAnOwnerThatComesAndGoes() throws {
        var items: [(String, FakeItem)] = []
        for index in 0..<60 {
            let text = String(repeating: "contents of \(index) ", count: index * 400)
            items.append(("d\(index)", .folder([("f", .text(text)), ("l", .link(Array("f".utf8))), ("e", .file([]))])))
        }
        let tree = try FakeTree(items)
        let mount = try TestMount(tree)
        let worker = try ThreadWorker()
        try worker.assume(mount)
        let root = mount.root
        let held = (0..<60).filter { $0 % 7 == 3 }.map { tree.ids["d\($0)/f"]! }
        for id in held { mount.owner.hold(id) }
        let readers = try (0..<4).map { reader in
            try Background { () -> [String] in
                var errors: [String] = []
                for step in 0..<60 {
                    let index = (step &* 13 &+ reader &* 17) % 60
                    do {
                        let expected = Array(String(repeating: "contents of \(index) ", count: index * 400).utf8)
                        if try Fd.list(root, "d\(index)").count != 3 { errors.append("d\(index): other entries") }
                        if try Fd.contents(root, "d\(index)/l") != expected { errors.append("d\(index): other bytes") }
                    } catch {
                        errors.append("\(error)")
                    }
                }
                return errors
            }
        }
        // Held contents are let go one by one as they are asked for, with another owner after every second.
        var left = held
        for turn in held.indices {
            try mount.owner.wait { left.contains { mount.owner.count($0) > 0 } }
            let index = try #require(left.firstIndex { mount.owner.count($0) > 0 })
            let id = left.remove(at: index)
            if turn % 2 == 1 {
                mount.owner.die()
                mount.owner.release(id)
                try worker.reconnect(mount)
            } else {
                mount.owner.release(id)
            }
        }
        for reader in readers { #expect(reader.join() == []) }
        #expect(mount.memory.value(.failures) == 0)
        mount.unmount()
        #expect(worker.end() == 0)
    }

    @Test func deadlinesPass() throws {
        let tree = try FakeTree([("a", .text("a")), ("d", .folder([("x", .text("x"))]))])
        let mount = try TestMount(tree, timeout: .milliseconds(200))
        let worker = try ThreadWorker()
        try worker.assume(mount)
        let root = mount.root
        mount.owner.hold(tree.ids["a"]!)
        mount.owner.hold(tree.ids["d"]!)
        let readers = try ["a", "d/x", "d/y", "d"].map { path in
            try Background {
                Fd.failure { _ = try path == "d" ? "\(Fd.list(root, path))" : "\(Fd.contents(root, path))" }
            }
        }
        for reader in readers { #expect(reader.join() == .timedOut) }
        try mount.abort()
        #expect(worker.end() == 0)
    }
}

/// `Worker` on a thread.
private final class ThreadWorker: Sendable {
    private let socket: MessageSocket
    private let thread: Background<Int32>

    init() throws {
        let path = "/tmp/antares-thread-worker-\(getpid())-\(Deadline.now.nanoseconds)"
        let listener = SharedFD(try MessageSocket.listen(path))
        thread = try Background {
            do {
                return try Worker(listener: listener.duplicate()).run()
            } catch {
                return -1
            }
        }
        socket = MessageSocket(try MessageSocket.connect(path))
        unlink(path)
    }

    func assume(_ mount: TestMount) throws {
        try mount.handOver { fds in
            try call(.assume(version: WorkerProtocolVersion.newest, mount: "thread"), fds)
        }
    }

    func reconnect(_ mount: TestMount) throws {
        let cache = try mount.owner.connect()
        try call(.reconnectCache, [cache.raw])
    }

    func end() -> Int32? {
        thread.join()
    }

    private func call(_ request: WorkerControlRequest, _ fds: [Int32]) throws {
        let header = MessageHeader(operation: request.operation.rawValue, id: 1)
        try socket.send(header.message(request.encode()), fds: fds)
        guard let (bytes, _) = try socket.receive(until: .after(.seconds(20))) else {
            throw SystemError(.connectionReset, "recvmsg")
        }
        var reader = WireReader(bytes)
        guard try !MessageHeader(from: &reader).flags.contains(.error) else {
            throw SystemError(.protocolError, try reader.string())
        }
    }
}
