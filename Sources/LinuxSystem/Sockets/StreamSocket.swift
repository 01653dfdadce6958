import CAntares
import Glibc

/// SOCK_STREAM sockets by path, and datagrams to one (unix(7)).
public enum StreamSocket {
    /// Connects without waiting; EAGAIN if the listener's queue is full, ECONNREFUSED if nobody listens.
    public static func connect(_ path: String) throws(SystemError) -> OwnedFD {
        try connected(path, type: SOCK_STREAM)
    }

    /// Sends one datagram without waiting. A path that begins with `@` names an abstract socket.
    public static func sendDatagram(_ bytes: [UInt8], to path: String, fds: [Int32] = []) throws(SystemError) {
        let socket = try connected(path, type: SOCK_DGRAM)
        try retrying("sendmsg", path) {
            bytes.withUnsafeBytes { bytes in
                fds.withUnsafeBufferPointer {
                    ant_send(socket.raw, bytes.baseAddress, bytes.count, nil, 0, $0.baseAddress, Int32($0.count))
                }
            }
        }
    }

    private static func connected(_ path: String, type: __socket_type) throws(SystemError) -> OwnedFD {
        let kind = Int32(type.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let file = OwnedFD(taking: try check(socket(AF_UNIX, kind, 0), "socket"))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        let isAbstract = name.first == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 }
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw SystemError(.nameTooLong, "connect", path)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        // An abstract name has no end but the address's length.
        let head = MemoryLayout.size(ofValue: address) - MemoryLayout.size(ofValue: address.sun_path)
        let length = socklen_t(isAbstract ? head + name.count : MemoryLayout<sockaddr_un>.size)
        try retrying("connect", path) {
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(file.raw, $0, length) }
            }
        }
        return file
    }
}
