import Glibc
import LinuxSystem

/// Many clients that mean no good: of four, two say nothing, one sends a byte a second, one half a message.
final class Crowd: Sendable {
    private static let head = Array("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Padding: ".utf8)
    private static let half = Array(
        "POST /mounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{\"path\":".utf8)

    private let sockets: [SharedFD]

    /// Connects them all, one after the other. Blocks.
    init(_ path: String, count: Int) throws(SystemError) {
        var sockets: [SharedFD] = []
        for number in 0..<count {
            let socket = SharedFD(try Self.connect(path))
            if number % 4 == 3 { Self.send(socket, Self.half[...]) }
            sockets.append(socket)
        }
        self.sockets = sockets
    }

    /// Another byte of each slow one.
    func drip(_ turn: Int) {
        let byte = turn < Self.head.count ? Self.head[turn] : UInt8(ascii: "x")
        for number in sockets.indices where number % 4 == 2 { Self.send(sockets[number], [byte]) }
    }

    /// Those that the server has not dropped yet.
    var alive: Int {
        var entries = sockets.map { pollfd(fd: $0.raw, events: 0, revents: 0) }
        _ = poll(&entries, nfds_t(entries.count), 0)
        return entries.count { $0.revents == 0 }
    }

    private static func send(_ socket: SharedFD, _ bytes: ArraySlice<UInt8>) {
        _ = bytes.withUnsafeBytes {
            Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// Waits for a place in the listener's queue.
    static func connect(_ path: String) throws(SystemError) -> OwnedFD {
        while true {
            do throws(SystemError) {
                return try StreamSocket.connect(path)
            } catch {
                if error.errno != .wouldBlock { throw error }
                sched_yield()
            }
        }
    }
}
