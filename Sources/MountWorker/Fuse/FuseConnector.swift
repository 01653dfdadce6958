import CFUSE
import Glibc
import LinuxSystem
import WorkerProtocol

/// The connection to the kernel: a libfuse session that takes over a FUSE connection in use, and the threads that read from it.
final class FuseConnector: @unchecked Sendable {
    // Sendable: `session` is libfuse's, which has its own lock; it is set once before the readers start.

    /// How the reading ended.
    enum End: Hashable, Sendable {
        /// The filesystem is gone or its connection was aborted.
        case unmounted
        case failed(Errno)
    }

    private let file: SharedFD
    private let mount: MountSession
    private let session: OpaquePointer
    private let readers: Readers
    private let onEnd: @Sendable (End) -> Void

    /// Brings libfuse to the state in which the last worker was: it replays the stored FUSE_INIT, and the reply, which the kernel got
    /// long ago, goes nowhere. `onEnd` is called by a reader thread.
    init(
        _ file: consuming OwnedFD, mount: MountSession, readers: Readers, onEnd: @escaping @Sendable (End) -> Void
    ) throws(SystemError) {
        let request = mount.memory.initRequest
        // The kernel goes by the stored reply; libfuse is told what this build would have answered.
        guard (try? FuseHandshake.reply(to: request)) == mount.memory.initReply, let header = FuseRequestHeader(request)
        else {
            throw SystemError(
                .protocolError, "replaying FUSE_INIT", "", detail: "this build would have answered otherwise")
        }
        self.file = SharedFD(file)
        self.mount = mount
        self.onEnd = onEnd
        self.readers = readers

        var operations = FuseOperations.table()
        // Never released: the process ends with the session.
        let context = Unmanaged.passRetained(mount).toOpaque()
        guard let session = antares_fuse_session_new(&operations, context) else {
            throw SystemError(.outOfMemory, "fuse_session_new")
        }
        self.session = session
        var hooks = fuse_custom_io()
        hooks.read = { fd, buffer, size, _ in read(fd, buffer, size) }
        hooks.writev = { fd, parts, count, context in FuseConnector.write(fd, parts, count, context) }
        let error = fuse_session_custom_io(session, &hooks, self.file.raw)
        guard error == 0 else { throw SystemError(Errno(rawValue: abs(error)), "fuse_session_custom_io") }
        process(request, header)
        guard fuse_session_exited(session) == 0 else {
            throw SystemError(.protocolError, "replaying FUSE_INIT", "", detail: "libfuse refuses it")
        }
    }

    private func process(_ request: [UInt8], _ header: FuseRequestHeader) {
        var copy = request
        copy.withUnsafeMutableBytes { bytes in
            var buffer = fuse_buf()
            buffer.size = bytes.count
            buffer.mem = bytes.baseAddress
            fuse_session_process_buf(session, &buffer)
        }
    }

    /// Has the kernel send again what the last worker took, and lets the readers begin.
    func start() throws(SystemError) {
        // The descriptor's flags are shared with its other holders, of which a tombstone makes it non-blocking.
        let flags = fcntl(file.raw, F_GETFL)
        if flags & O_NONBLOCK != 0 { _ = fcntl(file.raw, F_SETFL, flags & ~O_NONBLOCK) }
        let sent = FuseMessage.resend.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) }
        try check(sent, "write(FUSE_NOTIFY_RESEND)")
        readers.begin { [self] slot, bytes in onEnd(readLoop(slot, bytes)) }
    }

    private func readLoop(_ slot: Int, _ bytes: UnsafeMutableRawBufferPointer) -> End {
        let memory = mount.memory
        ReaderSlot.set(slot)
        while true {
            let count = read(file.raw, bytes.baseAddress, bytes.count)
            if count < 0 {
                switch Errno.current {
                // ENOENT: the request was taken back while it was being read.
                case .interrupted, .notFound: continue
                case .wouldBlock: waitForRequest()
                case .noDevice: return .unmounted
                case let error: return .failed(error)
                }
                continue
            }
            memory.add(.readerTurns)
            let request = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
            guard let header = FuseRequestHeader(UnsafeRawBufferPointer(request)) else { continue }
            switch mount.treatment(of: header) {
            case nil: mount.besideOthers { work(on: request, header, slot) }
            case .alone: mount.alone { work(on: request, header, slot) }
            case .refuse: refuse(header)
            }
        }
    }

    /// The slot names a request only while this thread works on it, so one that kills workers is found here. Requests that wait for the
    /// owner are not in a slot: they cannot kill.
    private func work(on request: UnsafeMutableRawBufferPointer, _ header: FuseRequestHeader, _ slot: Int) {
        let start = mount.start(of: header)
        mount.memory.setInFlight(
            slot: slot, InFlightRequest(unique: header.unique, opcode: header.opcode, node: header.node), since: start)
        var buffer = fuse_buf()
        buffer.size = request.count
        buffer.mem = request.baseAddress
        fuse_session_process_buf(session, &buffer)
        mount.memory.setInFlight(slot: slot, .none)
        mount.noteAnsweredByLibrary(header, since: start)
    }

    /// Workers died of it: it is not touched again.
    private func refuse(_ header: FuseRequestHeader) {
        mount.noteRefused(header)
        let reply = FuseMessage.reply(to: header.unique, error: EIO)
        _ = reply.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) }
    }

    /// The descriptor's flags are shared with its other holders, one of which may have made it non-blocking.
    private func waitForRequest() {
        var entry = pollfd(fd: file.raw, events: Int16(POLLIN), revents: 0)
        _ = poll(&entry, 1, -1)
    }

    private static func write(
        _ fd: Int32, _ parts: UnsafeMutablePointer<iovec>?, _ count: Int32, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        guard let parts, count > 0, let context else { return -1 }
        let mount = Unmanaged<MountSession>.fromOpaque(context).takeUnretainedValue()
        let unique = parts[0].iov_base.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        // The kernel numbers requests upwards, so only the replayed FUSE_INIT has its number.
        if unique == mount.initUnique { return (0..<Int(count)).reduce(0) { $0 + parts[$1].iov_len } }
        return writev(fd, parts, count)
    }
}
