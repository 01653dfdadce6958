import LinuxSystem

/// What the machine has left, as `AdmissionMachine` wants it.
struct RoomProbe: Sendable {
    let upperRoot: String

    func read() -> AdmissionMachine.Room {
        let disk = DirectoryChecks.Room(of: upperRoot)
        let memory = (try? File.text("/proc/meminfo")).flatMap(Self.available)
        return AdmissionMachine.Room(bytes: disk?.bytes, inodes: disk?.inodes, memory: memory)
    }

    /// Bytes that new work can have without swapping (proc(5), MemAvailable).
    static func available(meminfo: String) -> UInt64? {
        for line in meminfo.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            return UInt64(line.filter(\.isNumber)).map { $0 << 10 }
        }
        return nil
    }
}
