import Glibc
import LinuxSystem

/// Two CAs of our own with a certificate each for `localhost` and 127.0.0.1: `good.pem`, `good.key`, `good-ca.pem`, and `other…`.
enum Certificates {
    private static let script = """
        set -e
        for name in good other; do
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name ca" \\
                -keyout $name-ca.key -out $name-ca.pem
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout $name.key -out $name.csr
            echo 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext
            openssl x509 -req -in $name.csr -CA $name-ca.pem -CAkey $name-ca.key -CAcreateserial -days 2 -extfile ext \\
                -out $name.pem
            chmod 600 $name.key
        done
        openssl ec -aes128 -passout pass:secret -in good.key -out locked.key
        chmod 600 locked.key
        """

    static func make(in directory: String) async throws {
        let result = try await Program.run("/bin/sh", ["-c", script], directory: directory)
        guard result.status == .code(0) else { throw CertificateFailure(errors: result.errors) }
    }

    struct CertificateFailure: Error {
        let errors: String
    }
}

/// A TCP connection to this machine, whose other end is to close it.
final class TCPConnection: Sendable {
    private let socket: SharedFD

    init(port: UInt16) throws {
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
        socket = SharedFD(file)
    }

    func send(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Whether the other end closes within the limit; what it sends meanwhile is passed over.
    func ends(within limit: Duration) -> Bool {
        let deadline = Deadline.after(limit)
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, deadline.pollTimeout) > 0 else { return false }
            if recv(socket.raw, &buffer, buffer.count, 0) <= 0 { return true }
        }
    }
}
