import Glibc
import LinuxSystem

/// What a process of ours takes.
enum ProcessMemory {
    /// Resident bytes that it shares with nobody's files (/proc/PID/statm, which takes no lock of the process). Nil if it has ended.
    static func privateBytes(of pid: Int32) -> UInt64? {
        guard let text = try? File.text("/proc/\(pid)/statm") else { return nil }
        let fields = text.split(separator: " ").prefix(3).compactMap { UInt64($0) }
        guard fields.count == 3, fields[1] >= fields[2] else { return nil }
        return (fields[1] - fields[2]) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
