import CAntares
import Glibc

/// Memory that never causes a page fault: populated and locked (mmap(2) MAP_POPULATE, mlock(2)).
///
/// A FUSE worker receives into such memory and replies from it: a fault in the kernel's copy, met by a pending SIGKILL, would end
/// the request with EIO (fs/fuse/dev.c, fuse_dev_do_read) instead of leaving it to the next worker.
public struct ResidentBuffer: ~Copyable, @unchecked Sendable {
    // Sendable: owned by the one thread that receives or replies with it.

    public let bytes: UnsafeMutableRawBufferPointer

    /// ENOMEM or EPERM from mlock means that RLIMIT_MEMLOCK is too small.
    public init(size: Int) throws(SystemError) {
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)
        guard let address, address != MAP_FAILED else { throw SystemError(Errno.current, "mmap") }
        guard mlock(address, size) == 0 else {
            let error = Errno.current
            munmap(address, size)
            throw SystemError(error, "mlock", "\(size) bytes", detail: "is RLIMIT_MEMLOCK large enough?")
        }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
    }
}
