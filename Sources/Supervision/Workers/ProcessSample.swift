import Glibc
import LinuxSystem

/// What /proc shows of a process. Reads nothing that takes the lock of its memory, so one that hangs is no obstacle (proc(5)).
struct ProcessSample: Hashable, Sendable {
    /// Milliseconds after 1970.
    let startedAt: Int64
    /// Milliseconds of processor time, user and system.
    let cpuTime: UInt64
    /// Open descriptors; nil if they cannot be listed.
    let descriptors: Int?

    /// Nil if the process has ended.
    init?(of pid: Int32) {
        guard let stat = try? File.text("/proc/\(pid)/stat"), let fields = Self.fields(ofStat: stat) else { return nil }
        let ticks = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        cpuTime = fields.cpu * 1000 / ticks
        startedAt = Self.bootTime + Int64(fields.start * 1000 / ticks)
        descriptors = (try? Directory.names("/proc/\(pid)/fd"))?.count
    }

    /// Ticks of processor time, and the start in ticks after the boot. The name in parentheses may have any character in it.
    static func fields(ofStat text: String) -> (cpu: UInt64, start: UInt64)? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        // The state, field 3 of the file, is the first here.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let user = UInt64(fields[11]), let system = UInt64(fields[12]),
            let start = UInt64(fields[19])
        else { return nil }
        return (user + system, start)
    }

    private static let knownBootTime = Guarded<Int64?>(nil)

    /// Milliseconds after 1970. The difference of two clocks, which is never the same twice: what was found first stays, so that a process has one start,
    /// until the clock is set.
    private static var bootTime: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        let found = WallClock.milliseconds - (Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
        return knownBootTime.with { known in
            if let known, abs(known - found) <= 50 { return known }
            known = found
            return found
        }
    }
}
