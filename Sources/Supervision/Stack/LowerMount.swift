import Glibc
import LinuxSystem
import WorkerProtocol

/// The read-only FUSE mount below a job's overlay, from the supervisor's side. Its handshake is answered before any worker has it, so that every
/// worker starts by taking over.
final class LowerMount: Sendable {
    let custody: Custody
    /// With the mount itself, attached nowhere; the overlay makes its own private clone of it.
    private let connection: LowerConnection

    /// Makes the session of a mount for a connection that has none. Nothing serves it yet.
    init(_ connection: LowerConnection, _ parameters: SessionParameters) throws(SystemError) {
        let memory = try SessionMemory(
            initRequest: connection.initRequest, initReply: connection.initReply, parameters: parameters)
        custody = Custody(device: connection.device, memory: memory, connection: connection.connection)
        self.connection = connection
    }

    /// The root of the detached mount.
    var root: Int32 {
        connection.root
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
