import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import WireFormat
import WorkerProtocol

/// Plays the supervisor of one mount: holds the FUSE fd, answers INIT, starts workers, and ends everything at the latest after a minute.
final class TestMount: Sendable {
    static let programs: String = {
        let path = (try? FileLink.read("/proc/self/exe")) ?? CommandLine.arguments[0]
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }()

    let owner: FakeOwner
    let memory: SessionMemory
    let root: Int32
    private let fuse: SharedFD
    private let mount: Guarded<SharedFD?>
    private let connection: FuseConnection
    private let watchdog: EventCounter
    private let workers = Guarded<[TestWorker]>([])

    init(
        _ tree: FakeTree, timeout: Duration = .seconds(30), blocks: Int = 4096, uid: UInt32 = 1234, gid: UInt32 = 4321,
        form: SessionParameters.Form = .lazy
    ) throws {
        try FuseConnection.ensureControlFilesystem()
        owner = try FakeOwner(tree)
        let fuse = try FuseConnection.open()
        let context = try FilesystemContext("fuse")
        try context.set("source", "test")
        try context.set("fd", "\(fuse.raw)")
        try context.set("rootmode", "40000")
        try context.set("user_id", "0")
        try context.set("group_id", "0")
        try context.set("allow_other")
        try context.set("default_permissions")
        try context.create()
        var request = [UInt8](repeating: 0, count: 64 * 1024)
        let n = try check(read(fuse.raw, &request, request.count), "read(FUSE_INIT)")
        request.removeLast(request.count - n)
        let reply = try FuseHandshake.reply(to: request)
        try check(write(fuse.raw, reply, reply.count), "write(FUSE_INIT)")
        connection = try FuseConnection(of: fuse.raw)
        let detached = try context.mount([.readOnly, .noSetuid, .noDevices])
        let kept = SharedFD(try Fd.duplicate(detached.raw))
        root = kept.raw
        mount = Guarded(kept)
        self.fuse = SharedFD(fuse)
        memory = try SessionMemory(
            initRequest: request, initReply: reply,
            parameters: SessionParameters(
                root: tree.root, time: 1_700_000_000, uid: uid, gid: gid, probeName: ".probe-4711",
                requestTimeout: UInt64(timeout.components.seconds) * 1_000_000_000
                    + UInt64(timeout.components.attoseconds / 1_000_000_000), minimumRate: 1 << 20,
                form: form),
            blockCapacity: blocks)
        let watchdog = try EventCounter()
        self.watchdog = watchdog
        let connection = connection
        try SystemThread.start(name: "watchdog") {
            var entry = pollfd(fd: watchdog.raw, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, 60_000) == 0 { try? connection.abort() }
        }.detach()
    }

    deinit {
        watchdog.add()
        try? connection.abort()
        for worker in workers.with({ $0 }) { worker.kill() }
        owner.die()
    }

    /// Starts a worker and has it take over.
    @discardableResult
    func startWorker(faults: String? = nil) throws -> TestWorker {
        let worker = try TestWorker(faults: faults)
        try assume(worker)
        return worker
    }

    func assume(_ worker: TestWorker) throws {
        workers.with { $0.append(worker) }
        try handOver { fds in
            let reply = try worker.call(.assume(version: WorkerProtocolVersion.newest, mount: "test"), fds: fds)
            guard reply == .serving else { throw SystemError(.protocolError, "assume") }
        }
    }

    /// Calls `body` with the descriptors that a worker is given.
    func handOver(_ body: ([Int32]) throws -> Void) throws {
        let cache = try owner.connect()
        try body([fuse.raw, memory.fd.raw, cache.raw])
    }

    func reconnect(_ worker: TestWorker) throws {
        let cache = try owner.connect()
        _ = try worker.call(.reconnectCache, fds: [cache.raw])
    }

    /// Lets go of the only reference to the mount.
    func unmount() {
        mount.with { $0 = nil }
    }

    func abort() throws {
        try connection.abort()
    }

    var waiting: Int {
        (try? connection.waiting()) ?? 0
    }

    /// Runs `body` on a thread of its own.
    static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) throws -> Background<Value> {
        try Background(body)
    }
}

/// A result that a thread is working on.
final class Background<Value: Sendable>: Sendable {
    private let value = Guarded<Value?>(nil)
    private let thread: SystemThread

    init(_ body: @escaping @Sendable () -> Value) throws {
        let value = value
        thread = try SystemThread.start(name: "reader") {
            let result = body()
            value.with { $0 = result }
        }
    }

    /// Whether it has come to an end.
    var isDone: Bool {
        value.with { $0 != nil }
    }

    /// Waits for the end.
    func join() -> Value? {
        thread.join()
        return value.with { $0 }
    }
}

enum FileLink {
    static func read(_ path: String) throws -> String {
        String(decoding: try Fd.target(AT_FDCWD, path), as: UTF8.self)
    }
}
