import Glibc
import LinuxSystem
import WorkerProtocol

/// A FUSE connection that is no mount's yet: the superblock is there and the handshake is answered, always with the same reply. Nothing serves
/// it, and nobody can reach it.
final class LowerConnection: Sendable {
    /// How long the kernel may take to queue FUSE_INIT; it does so before the mount call returns.
    static let handshakeTimeout: Duration = .seconds(2)

    let device: SharedFD
    let connection: FuseConnection
    /// The exact bytes exchanged with the kernel, which every worker starts from.
    let initRequest: [UInt8]
    let initReply: [UInt8]
    private let mount: DetachedMount

    private init(
        device: SharedFD, connection: FuseConnection, initRequest: [UInt8], initReply: [UInt8],
        mount: consuming DetachedMount
    ) {
        self.device = device
        self.connection = connection
        self.initRequest = initRequest
        self.initReply = initReply
        self.mount = mount
    }

    /// The root of the mount, which is attached nowhere.
    var root: Int32 {
        mount.raw
    }

    /// Whether nobody has aborted it meanwhile. Never blocks.
    var isConnected: Bool {
        var entry = pollfd(fd: device.raw, events: 0, revents: 0)
        return poll(&entry, 1, 0) == 0
    }

    /// Opens /dev/fuse, makes the superblock and answers the handshake. Blocks for microseconds.
    static func open() throws(SystemError) -> LowerConnection {
        let device = SharedFD(try FuseConnection.open())
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
        return LowerConnection(
            device: device, connection: connection, initRequest: request, initReply: reply, mount: mount)
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
}
