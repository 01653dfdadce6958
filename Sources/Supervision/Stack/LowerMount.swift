import Glibc
import LinuxSystem
import WorkerProtocol

/// The read-only FUSE mount below a job's overlay, from the supervisor's side: it opens the connection and answers FUSE_INIT itself, with
/// the same reply always, so that every worker starts by taking over.
final class LowerMount: Sendable {
    /// How long the kernel may take to queue FUSE_INIT; it does so before the mount call returns.
    static let handshakeTimeout: Duration = .seconds(2)

    let custody: Custody
    /// The mount itself, attached nowhere; the overlay makes its own private clone of it.
    private let mount: DetachedMount

    private init(custody: Custody, mount: consuming DetachedMount) {
        self.custody = custody
        self.mount = mount
    }

    /// The root of the detached mount.
    var root: Int32 {
        mount.raw
    }

    /// Opens /dev/fuse, makes the superblock and answers the handshake. Nothing serves the connection yet. Blocks for microseconds.
    static func connect(_ parameters: SessionParameters) throws(SystemError) -> LowerMount {
        let device = try FuseConnection.open()
        let context = try FilesystemContext("fuse")
        try context.set("source", "antares")
        try context.set("subtype", "antares")
        try context.set("fd", "\(device.raw)")
        try context.set("rootmode", "40000")
        try context.set("user_id", "0")
        try context.set("group_id", "0")
        try context.set("allow_other")
        try context.set("default_permissions")
        // Of the superblock, not only of the mount: else each read invalidates the access time that the kernel has, and the next stat
        // asks us again (fs/fuse/dir.c, fuse_invalidate_atime).
        try context.set("ro")
        try context.create()
        let mount = try context.mount([.readOnly, .noSetuid, .noDevices, .noAccessTime])
        let connection = try FuseConnection(of: device.raw)
        let request = try readHandshake(device.raw)
        let reply = try answer(request)
        let written = try retrying("write", "/dev/fuse") {
            reply.withUnsafeBytes { write(device.raw, $0.baseAddress, $0.count) }
        }
        guard written == reply.count else { throw SystemError(.ioError, "write", "/dev/fuse") }
        let memory = try SessionMemory(initRequest: request, initReply: reply, parameters: parameters)
        let custody = Custody(device: device, memory: memory, connection: connection)
        return LowerMount(custody: custody, mount: mount)
    }

    private static func readHandshake(_ device: Int32) throws(SystemError) -> [UInt8] {
        var entry = pollfd(fd: device, events: Int16(POLLIN), revents: 0)
        let ready = try retrying("poll", "/dev/fuse") { poll(&entry, 1, Deadline.after(handshakeTimeout).pollTimeout) }
        guard ready == 1 else { throw SystemError(.timedOut, "reading FUSE_INIT") }
        // FUSE_MIN_READ_BUFFER: the kernel refuses reads into less.
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = try retrying("read", "/dev/fuse") {
            buffer.withUnsafeMutableBytes { read(device, $0.baseAddress, $0.count) }
        }
        return Array(buffer[0..<count])
    }

    private static func answer(_ request: [UInt8]) throws(SystemError) -> [UInt8] {
        do {
            return try FuseHandshake.reply(to: request)
        } catch {
            throw SystemError(.protocolError, "answering FUSE_INIT", "", detail: "\(error)")
        }
    }

    /// Proves that the lower works, through the mount itself: lists the root, if jobs are to see its directories, and opens and closes the probe
    /// node, by which the kernel learns that there is no OPEN and no FLUSH (fs/fuse/file.c, `no_open` and `no_flush`). Unlearned, a job that
    /// exits while no worker serves would wait unkillable in FLUSH. Blocks until a worker answers: the caller aborts the connection at its
    /// deadline.
    func prove(probeName: String, listing: Bool) throws(SystemError) {
        if listing { _ = try Directory.names(of: root) }
        let probe = try File.open(at: root, probeName, O_RDONLY)
        // That there are no extended attributes either (fs/fuse/xattr.c, `no_listxattr`): a copy-up asks for them while it holds the rename
        // lock of the upper's filesystem.
        try File.learnExtendedAttributes(of: probe.raw)
        // close(2) sends FLUSH; its result is the answer.
        try check(close(probe.take()), "close", "the probe node")
    }
}
