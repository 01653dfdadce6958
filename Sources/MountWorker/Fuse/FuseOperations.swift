import CFUSE
import Glibc
import LinuxSystem

/// The table of callbacks for libfuse. Each turns the request into an operation and hands it over.
///
/// What is left out is answered by libfuse: ENOSYS for GETXATTR, LISTXATTR, FLUSH, IOCTL and LSEEK, which the kernel remembers for the
/// whole mount (but IOCTL), and nothing for FORGET, because nodes are never forgotten.
enum FuseOperations {
    static func table() -> fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        table.`init` = { _, connection in
            // The kernel has the supervisor's settings; libfuse must only not expect other ones.
            connection?.pointee.want = 0
            connection?.pointee.max_write = 16 * 1024
        }
        table.lookup = { request, parent, name in
            guard let request, let name else { return }
            let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name))
            FuseOperations.serve(request, Operation(.lookup(name: Array(bytes)), node: parent))
        }
        table.getattr = { request, node, _ in
            guard let request else { return }
            FuseOperations.serve(request, Operation(.attributes, node: node))
        }
        table.readlink = { request, node in
            guard let request else { return }
            FuseOperations.serve(request, Operation(.readLink, node: node))
        }
        table.read = { request, node, size, offset, _ in
            guard let request else { return }
            FuseOperations.serve(request, Operation(.read(offset: UInt64(clamping: offset), count: size), node: node))
        }
        table.readdir = { request, node, size, offset, _ in
            guard let request else { return }
            FuseOperations.list(request, node, size, offset, attributes: false)
        }
        table.readdirplus = { request, node, size, offset, _ in
            guard let request else { return }
            FuseOperations.list(request, node, size, offset, attributes: true)
        }
        table.statfs = { request, node in
            guard let request else { return }
            FuseOperations.serve(request, Operation(.statistics, node: node))
        }
        // Without these two libfuse would answer "opened". ENOSYS is remembered: no OPEN or OPENDIR, no RELEASE comes any more.
        table.open = { request, _, _ in
            guard let request else { return }
            FuseReply(request).error(.notImplemented)
        }
        table.opendir = { request, _, _ in
            guard let request else { return }
            FuseReply(request).error(.notImplemented)
        }
        return table
    }

    private static func list(
        _ request: fuse_req_t, _ node: fuse_ino_t, _ size: Int, _ offset: off_t, attributes: Bool
    ) {
        serve(
            request, Operation(.list(offset: UInt64(clamping: offset), count: size, attributes: attributes), node: node)
        )
    }

    private static func serve(_ request: fuse_req_t, _ operation: Operation) {
        var operation = operation
        operation.asker = fuse_req_ctx(request)?.pointee.pid ?? 0
        MountSession.context(of: request).serve(operation, FuseReply(request))
    }
}
