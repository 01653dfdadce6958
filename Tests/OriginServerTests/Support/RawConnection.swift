import Glibc
import LinuxSystem
import Testing

/// A TCP connection on which a test says exactly what it wants. Blocking, with a time limit; to be used off the concurrency pool.
final class RawConnection: Sendable {
    private let socket: OwnedFD

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        self.socket = OwnedFD(taking: try check(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0), "socket"))
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(self.socket.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBuffer {
            setsockopt(self.socket.raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.socket.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try check(result, "connect")
    }

    func send(_ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try File.write(self.socket.raw, $0) }
    }

    func request(_ method: String, _ path: String, headers: String = "") throws {
        try self.send("\(method) \(path) HTTP/1.1\r\nHost: test\r\n\(headers)\r\n")
    }

    /// Up to `limit` bytes; fewer when the peer closes.
    func read(_ limit: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < limit {
            let count = Glibc.read(self.socket.raw, &buffer, min(buffer.count, limit - bytes.count))
            if count == 0 { break }
            if count < 0, Errno.current == .connectionReset { break }
            try check(count, "read")
            bytes += buffer.prefix(count)
        }
        return bytes
    }

    /// How many bytes come, up to `limit`.
    func count(upTo limit: Int) throws -> Int {
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while total < limit {
            let count = Glibc.read(self.socket.raw, &buffer, min(buffer.count, limit - total))
            if count == 0 { break }
            if count < 0, Errno.current == .connectionReset { break }
            total += try check(count, "read")
        }
        return total
    }

    /// Status line and fields, up to the empty line.
    func readHead() throws -> String {
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let next = try self.read(1)
            try #require(!next.isEmpty)
            bytes += next
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Threads for what blocks in tests.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await BlockingThreads(count: 1, name: "test").run(body)
}
