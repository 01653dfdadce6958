import CAntares
import Glibc

/// One FUSE connection: the fd of /dev/fuse and its control directory in fusectl (Documentation/filesystems/fuse.rst).
public struct FuseConnection: Hashable, Sendable {
    /// The number of its directory below /sys/fs/fuse/connections. Numbers are used again after the connection has ended.
    public let number: UInt64

    public init(number: UInt64) {
        self.number = number
    }

    static let control = "/sys/fs/fuse/connections"

    /// Opens a new, not yet connected /dev/fuse.
    public static func open() throws(SystemError) -> OwnedFD {
        try File.open("/dev/fuse", O_RDWR)
    }

    /// The connection of an fd of /dev/fuse that is mounted, from /proc/self/fdinfo (the only place where the kernel says it for a
    /// filesystem that no path leads to).
    public init(of fd: Int32) throws(SystemError) {
        let info = try File.text("/proc/self/fdinfo/\(fd)")
        for line in info.split(separator: "\n") where line.hasPrefix("fuse_connection:") {
            if let number = UInt64(line.dropFirst("fuse_connection:".count).drop { $0 == "\t" || $0 == " " }) {
                self.init(number: number)
                return
            }
        }
        throw SystemError(.notConnected, "read", "/proc/self/fdinfo/\(fd)", detail: "no fuse_connection line")
    }

    /// Ends the connection: every request waiting in it fails with ECONNABORTED, later ones with ENOTCONN. Never blocks. No error if
    /// it is gone already.
    public func abort() throws(SystemError) {
        try withControl("abort", O_WRONLY) { (fd) throws(SystemError) in
            var one: UInt8 = 0x31
            try check(write(fd, &one, 1), "write", "\(Self.control)/\(number)/abort")
        }
    }

    /// Requests that wait for an answer, queued or with the server; nil when the connection has ended.
    public func waiting() throws(SystemError) -> Int? {
        var count: Int?
        try withControl("waiting", O_RDONLY) { (fd) throws(SystemError) in
            let text = String(decoding: try File.contents(of: fd, limit: 64), as: UTF8.self)
            count = Int(text.prefix { $0.isNumber })
        }
        return count
    }

    /// Whether the connection still has a control directory.
    public var exists: Bool {
        access("\(Self.control)/\(number)", F_OK) == 0
    }

    private func withControl(
        _ name: String, _ flags: Int32, _ body: (Int32) throws(SystemError) -> Void
    ) throws(SystemError) {
        let file: OwnedFD
        do {
            file = try File.open("\(Self.control)/\(number)/\(name)", flags)
        } catch  where error.errno == .notFound {
            return
        }
        try body(file.raw)
    }

    /// Mounts fusectl at /sys/fs/fuse/connections unless it is there.
    public static func ensureControlFilesystem() throws(SystemError) {
        if try MountTable.current().contains(where: { $0.mountPoint == control && $0.type == "fusectl" }) { return }
        try check(ant_mount("fusectl", control, "fusectl"), "mount", control)
    }
}
