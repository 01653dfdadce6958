import Glibc
import LinuxSystem

/// The socket of a service manager, as sd_notify(3) talks to it, and what it was asked to keep.
final class ManagerSocket {
    private let socket: MessageSocket
    private(set) var stored: [String: SharedFD] = [:]
    /// All assignments so far but those about descriptors, in their order.
    private(set) var said: [String] = []

    init(_ path: String) throws {
        let file = OwnedFD(
            taking: try check(
                Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0), "socket"))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let raw = file.raw
        try check(
            withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }, "bind", path)
        try file.setNonBlocking(true)
        socket = MessageSocket(file)
        self.path = path
    }

    private let path: String

    deinit {
        unlink(path)
    }

    /// Reads until something was said that is as wanted, and forgets all up to it; throws after the limit.
    @discardableResult
    func wait(for what: String, limit: Duration = .seconds(30), _ condition: (String) -> Bool) throws -> String {
        let deadline = Deadline.after(limit)
        while true {
            try takeAll()
            if let index = said.firstIndex(where: condition) {
                defer { said.removeFirst(index + 1) }
                return said[index]
            }
            var entry = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, deadline.pollTimeout) > 0 else { throw Trouble("the manager is not told \(what)") }
        }
    }

    /// Reads what has come.
    func takeAll() throws {
        while true {
            let message: String
            let fds: ReceivedFDs
            do throws(SystemError) {
                guard let (bytes, received) = try socket.receive(until: .now) else { return }
                (message, fds) = (String(decoding: bytes, as: UTF8.self), received)
            } catch {
                if error.errno == .timedOut { return }
                throw error
            }
            let lines = message.split(separator: "\n")
            if !lines.contains(where: { $0.hasPrefix("FD") }) { said += lines.map(String.init) }
            guard let name = lines.first(where: { $0.hasPrefix("FDNAME=") })?.dropFirst(7) else { continue }
            if lines.contains("FDSTORE=1"), let fd = fds.take(0) { stored[String(name)] = SharedFD(fd) }
            if lines.contains("FDSTOREREMOVE=1") { stored[String(name)] = nil }
        }
    }
}
