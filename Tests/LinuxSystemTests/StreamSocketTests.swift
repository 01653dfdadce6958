import Glibc
import LinuxSystem
import Testing

@Suite struct StreamSocketTests {
    /// A datagram socket bound to a path, or to an abstract name that begins with `@`.
    private func receiver(_ name: String) throws -> OwnedFD {
        let file = OwnedFD(taking: try check(socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0), "socket"))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = name.hasPrefix("@") ? [0] + name.utf8.dropFirst() : Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let head = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file.raw, $0, socklen_t(head + bytes.count))
            }
        }
        try check(bound, "bind", name)
        return file
    }

    @Test(arguments: ["/tmp/antares-datagram-\(getpid())", "@antares-datagram-\(getpid())"])
    func datagramsArrive(name: String) throws {
        let file = try receiver(name)
        defer { unlink(name) }
        try StreamSocket.sendDatagram(Array("READY=1".utf8), to: name)
        var buffer = [UInt8](repeating: 0, count: 64)
        let n = recv(file.raw, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        #expect(String(decoding: buffer.prefix(max(0, n)), as: UTF8.self) == "READY=1")
    }

    @Test func aReceiverThatIsFullIsNotWaitedFor() throws {
        let name = "@antares-full-\(getpid())"
        let file = try receiver(name)
        let error = #expect(throws: SystemError.self) {
            while true { try StreamSocket.sendDatagram([1], to: name) }
        }
        #expect(error?.errno == .wouldBlock)
        _ = file.raw
    }

    @Test func failuresAreTold() {
        let long = "/" + String(repeating: "x", count: 107)
        #expect(throws: SystemError(.nameTooLong, "connect", long)) { _ = try StreamSocket.connect(long).raw }
        #expect(throws: SystemError(.notFound, "connect", "/nonexistent")) {
            _ = try StreamSocket.connect("/nonexistent").raw
        }
    }
}
