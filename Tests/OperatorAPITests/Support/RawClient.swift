import Glibc
import LinuxSystem

/// Bytes over a unix socket, on threads of its own: blocking calls must not take the pool that the server runs on.
final class RawClient: Sendable {
    struct Answer: Sendable {
        let status: Int
        let headers: [String: String]
        let body: String
    }

    private static let threads = Result { try BlockingThreads(count: 32, name: "test-client") }

    private let socket: SharedFD

    /// Connects to a port of 127.0.0.1.
    convenience init(port: UInt16) throws {
        let file = OwnedFD(taking: try check(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0), "socket"))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(file.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try check(result, "connect")
        self.init(file)
    }

    convenience init(_ path: String) throws {
        self.init(try Crowd.connect(path))
    }

    private init(_ connected: consuming OwnedFD) {
        try? connected.setNonBlocking(false)
        socket = SharedFD(connected)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ text: String) async throws {
        let bytes = Array(text.utf8)
        try await Self.threads.get().run { [socket] () throws(SystemError) in
            try bytes.withUnsafeBytes { buffer in
                var done = 0
                while done < buffer.count {
                    let n = Glibc.send(socket.raw, buffer.baseAddress! + done, buffer.count - done, Int32(MSG_NOSIGNAL))
                    if n < 0 { return Result<Void, SystemError>.failure(SystemError(.current, "send")) }
                    done += n
                }
                return .success(())
            }.get()
        }
    }

    /// All bytes until the server closes. ETIMEDOUT or EAGAIN if it does not.
    func readToEnd() async throws -> String {
        try await Self.threads.get().run { [socket] () throws(SystemError) in
            var result: [UInt8] = []
            while let bytes = try Self.read(socket.raw) { result += bytes }
            return String(decoding: result, as: UTF8.self)
        }
    }

    /// Waits until the server has closed the connection, without reading what it sent; 20 s at most.
    func waitForHangUp() async throws {
        try await Self.threads.get().run { [socket] () throws(SystemError) in
            var entry = pollfd(fd: socket.raw, events: 0, revents: 0)
            if try check(poll(&entry, 1, 20_000), "poll") == 0 { throw SystemError(.timedOut, "poll") }
        }
    }

    /// One whole answer, by its Content-Length.
    func answer() async throws -> Answer {
        let text = try await Self.threads.get().run { [socket] () throws(SystemError) in
            var received = ""
            while let bytes = try Self.read(socket.raw) {
                received += String(decoding: bytes, as: UTF8.self)
                if Self.isWhole(received) { break }
            }
            return received
        }
        return Self.parse(text)
    }

    func request(
        _ method: String, _ path: String, body: String? = nil, host: String = "localhost", headers: [String] = []
    ) async throws -> Answer {
        let length = body.map { "content-length: \($0.utf8.count)\r\n" } ?? ""
        let more = headers.map { $0 + "\r\n" }.joined()
        try await send("\(method) \(path) HTTP/1.1\r\nhost: \(host)\r\n\(more)\(length)\r\n\(body ?? "")")
        return try await answer()
    }

    func close() {
        shutdown(socket.raw, Int32(SHUT_RDWR))
    }

    private static func read(_ fd: Int32) throws(SystemError) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let n = recv(fd, &buffer, buffer.count, 0)
        if n < 0 && Errno.current == .connectionReset { return nil }
        try check(n, "recv")
        return n == 0 ? nil : Array(buffer[0..<n])
    }

    private static func isWhole(_ text: String) -> Bool {
        guard let end = text.range(of: "\r\n\r\n") else { return false }
        let length = Int(parse(text).headers["content-length"] ?? "") ?? 0
        return text[end.upperBound...].utf8.count >= length
    }

    private static func parse(_ text: String) -> Answer {
        let end = text.range(of: "\r\n\r\n") ?? text.endIndex..<text.endIndex
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        return Answer(status: status, headers: headers, body: String(text[end.upperBound...]))
    }
}

extension StringProtocol {
    /// The first place of `other`, without Foundation.
    fileprivate func range(of other: String) -> Range<Index>? {
        let needle = Array(other.utf8)
        let bytes = Array(utf8)
        guard bytes.count >= needle.count else { return nil }
        for start in 0...(bytes.count - needle.count) where Array(bytes[start..<start + needle.count]) == needle {
            let from = utf8.index(startIndex, offsetBy: start)
            return from..<utf8.index(from, offsetBy: needle.count)
        }
        return nil
    }
}
