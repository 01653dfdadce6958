import Glibc
import LinuxSystem

/// What only one process can have: the lock, the socket, the TCP port. Whoever has it is named.
enum AddressChecks {
    static func all(_ configuration: SupervisorConfiguration, runningPID: Int32?) -> [Check] {
        [lock(configuration, runningPID), socket(configuration.socket, runningPID)]
            + (configuration.listen.map { [port($0, runningPID)] } ?? [])
    }

    private static func lock(_ configuration: SupervisorConfiguration, _ runningPID: Int32?) -> Check {
        let path = configuration.runDirectory + "/lock"
        guard access(path, F_OK) == 0 else { return .ok("lock", "free") }
        do throws(LockFile.Failure) {
            try LockFile.probe(path)
            return .ok("lock", "free")
        } catch {
            guard case .held(let held) = error else { return .ok("lock", "free") }
            if let runningPID, held.holder.hasPrefix("pid \(runningPID) ") {
                return .ok("lock", "held by the supervisor, \(held.holder)")
            }
            return Check(
                "lock", .failure, "another supervisor has \(path): \(held.holder)",
                fix: "stop it, or configure another run_dir",
                topic: .address)
        }
    }

    private static func socket(_ path: String, _ runningPID: Int32?) -> Check {
        guard let connection = try? StreamSocket.connect(path) else { return .ok("socket", "\(path) is free") }
        let pid = try? MessageSocket.peer(of: connection.raw).pid
        return taken("socket", path, by: pid.map { [$0] } ?? [], runningPID, fix: "configure another socket")
    }

    private static func port(_ address: String, _ runningPID: Int32?) -> Check {
        guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...]),
            port != 0
        else { return .ok("listen", address) }
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map { (try? File.text($0, limit: 1 << 26)) ?? "" }
        let inodes = Set(tables.flatMap { listeners(on: port, host: String(address[..<colon]), in: $0) })
        if inodes.isEmpty { return .ok("listen", "\(address) is free") }
        return taken("listen", address, by: holders(ofSockets: inodes), runningPID, fix: "configure another address")
    }

    private static func taken(
        _ name: String, _ address: String, by pids: [Int32], _ runningPID: Int32?, fix: String
    ) -> Check {
        if let runningPID, pids.contains(runningPID) { return .ok(name, "\(address) is served by the supervisor") }
        let owner = pids.isEmpty ? "a process of another namespace" : pids.map(describe).joined(separator: ", ")
        return Check(name, .failure, "\(address) is in use by \(owner)", fix: "stop it or \(fix)", topic: .address)
    }

    static func describe(_ pid: Int32) -> String {
        let name = (try? File.text("/proc/\(pid)/comm"))?.split(separator: "\n").first
        return "process \(pid)" + (name.map { " (\($0))" } ?? "")
    }

    /// Inodes of the sockets that listen on a port at the host or at every address, from the text of /proc/net/tcp or tcp6 (proc(5)).
    static func listeners(on port: UInt16, host: String, in table: String) -> [UInt64] {
        let wanted = hexadecimal(host)
        return table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            // 0A is TCP_LISTEN.
            guard fields.count > 9, fields[3] == "0A" else { return nil }
            let local = fields[1].split(separator: ":")
            guard local.count == 2, UInt16(local[1], radix: 16) == port,
                local[0].allSatisfy({ $0 == "0" }) || wanted.contains(String(local[0]))
            else { return nil }
            return UInt64(fields[9])
        }
    }

    /// Addresses as the kernel prints them, words in the machine's order; of IPv6 the loopback only.
    private static func hexadecimal(_ host: String) -> [String] {
        let six = "00000000000000000000000001000000"
        let octets = (host == "localhost" ? "127.0.0.1" : host).split(separator: ".").compactMap { UInt8($0) }
        guard octets.count == 4 else { return ["::1", "[::1]"].contains(host) ? [six] : [] }
        let four = octets.reversed().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            .uppercased()
        return host == "localhost" ? [four, six] : [four]
    }

    /// Processes that have one of the sockets open.
    private static func holders(ofSockets inodes: Set<UInt64>) -> [Int32] {
        let wanted = Set(inodes.map { "socket:[\($0)]" })
        let pids = ((try? Directory.names("/proc")) ?? []).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
        return pids.filter { pid in
            ((try? Directory.names("/proc/\(pid)/fd")) ?? []).contains { name in
                let link = try? File.linkTarget("/proc/\(pid)/fd/\(String(decoding: name, as: UTF8.self))")
                return link.map(wanted.contains) ?? false
            }
        }.sorted()
    }
}
