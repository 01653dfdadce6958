import CFUSE
import Glibc
import LinuxSystem
import WorkerProtocol

/// The duty to answer one request of the kernel. Sending consumes it; if it is dropped, the request is answered EIO, because a request
/// without an answer hangs a job.
struct FuseReply: ~Copyable, @unchecked Sendable {
    // Sendable: libfuse lets any thread answer a request, and there is one owner.

    /// How long the kernel may keep what nothing can change: three years.
    static let forever = 1e8

    private let request: fuse_req_t

    init(_ request: fuse_req_t) {
        self.request = request
    }

    deinit {
        MountSession.context(of: request).noteDropped()
        fuse_reply_err(request, EIO)
    }

    /// The request, for libfuse's helpers that format entries and for its interrupt callback.
    var raw: fuse_req_t {
        request
    }

    consuming func error(_ errno: Errno) {
        fuse_reply_err(request, errno.rawValue)
        discard self
    }

    /// An entry, or with node 0 an absence that the kernel may keep.
    consuming func entry(_ entry: fuse_entry_param) {
        withUnsafePointer(to: entry) { _ = fuse_reply_entry(request, $0) }
        discard self
    }

    /// `timeout` in seconds.
    consuming func attributes(_ status: stat, timeout: Double) {
        withUnsafePointer(to: status) { _ = fuse_reply_attr(request, $0, timeout) }
        discard self
    }

    consuming func bytes(_ bytes: UnsafeRawBufferPointer) {
        fuse_reply_buf(request, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        discard self
    }

    consuming func statistics(_ statistics: statvfs) {
        withUnsafePointer(to: statistics) { _ = fuse_reply_statfs(request, $0) }
        discard self
    }
}

/// A reply that is kept while its operation waits. Whoever takes the waiter out of the pending table takes the reply.
final class ParkedReply: @unchecked Sendable {
    // Sendable: `reply` is touched only by the thread that holds the waiter's ticket, which the pending table gives to one at a time.

    private var reply: FuseReply?

    init(_ reply: consuming FuseReply) {
        self.reply = consume reply
    }

    func take() -> FuseReply? {
        reply.take()
    }
}

/// An operation with what is needed to go on with it.
struct Waiting: Sendable {
    var operation: Operation
    /// The kernel's request, for the in-flight slots.
    var request: InFlightRequest
    var reply: ParkedReply
    /// When the kernel's request was first put aside; deadlines count from here.
    var start: Deadline
    /// When it first came to a worker, this one or an earlier, in nanoseconds.
    var since: UInt64
    /// Its place among those that wait in the session memory.
    var place: Int?
}
