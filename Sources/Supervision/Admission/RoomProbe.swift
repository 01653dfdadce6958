import LinuxSystem

/// What the machine has left, as `AdmissionMachine` wants it.
struct RoomProbe: Sendable {
    let upperRoot: String

    func read() -> AdmissionMachine.Room {
        let disk = DirectoryChecks.Room(of: upperRoot)
        let memory = (try? File.contents("/proc/meminfo")).flatMap(Self.available)
        return AdmissionMachine.Room(bytes: disk?.bytes, inodes: disk?.inodes, memory: memory)
    }

    /// Bytes that new work can have without swapping (proc(5), MemAvailable). Every mount asks, so no text is taken apart line by line.
    static func available(meminfo: [UInt8]) -> UInt64? {
        let name = Array("MemAvailable:".utf8)
        var rest = meminfo[...]
        while !rest.starts(with: name) {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            rest = rest[(end + 1)...]
        }
        let digits = rest.dropFirst(name.count).drop { $0 == UInt8(ascii: " ") }.prefix { $0 != UInt8(ascii: " ") }
        return UInt64(String(decoding: digits, as: UTF8.self)).map { $0 << 10 }
    }
}
