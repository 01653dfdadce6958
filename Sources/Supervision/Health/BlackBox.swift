import Glibc
import LinuxSystem

/// Reads what can be had of a worker before it is killed.
enum BlackBox {
    /// Lines that are kept of one worker, and bytes of each.
    static let maximumLines = 80
    static let maximumLine = 200

    /// Reads what the kernel shows of a process: state, and of each thread where it waits. Nothing that takes the lock of its memory
    /// (cmdline, maps), because a process that hangs may hold it.
    static func read(_ pid: Int32) -> [String] {
        var lines: [String] = []
        let wanted = [
            "State:", "VmRSS:", "Threads:", "SigPnd:", "voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:",
        ]
        for line in text("/proc/\(pid)/status") where wanted.contains(where: { line.hasPrefix($0) }) {
            lines.append(line.replacing("\t", with: " "))
        }
        let tasks = ((try? Directory.names("/proc/\(pid)/task")) ?? []).map { String(decoding: $0, as: UTF8.self) }
        let samples = Dictionary(ThreadSample.all(of: pid).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        for task in tasks.sorted() {
            let path = "/proc/\(pid)/task/\(task)"
            let state = Int32(task).flatMap { samples[$0] }
            let name = state.map { "\($0.name) \($0.state) \($0.time)" } ?? "?"
            let place = text(path + "/wchan").first ?? "?"
            let call = text(path + "/syscall").first ?? "?"
            lines.append("thread \(task) \(name) wchan \(place) syscall \(call)")
            lines += text(path + "/stack").prefix(12).map { "  " + $0 }
        }
        return lines.prefix(maximumLines).map { String($0.prefix(maximumLine)) }
    }

    private static func text(_ path: String) -> [String] {
        ((try? File.text(path, limit: 64 * 1024)) ?? "").split(separator: "\n").map(String.init)
    }
}
