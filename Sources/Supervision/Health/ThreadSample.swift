import LinuxSystem

/// A thread of another process as the kernel shows it (proc(5), /proc/PID/task/TID/stat and schedstat). Reading it takes no lock that the
/// process could hold.
struct ThreadSample: Hashable, Sendable {
    var id: Int32
    var name: String
    /// R runs or waits for a processor, D waits for a disk, S sleeps, T is stopped, t is traced.
    var state: Character
    /// Time on a processor.
    var time: Duration = .zero
    /// Times it was put on one.
    var slices: UInt64 = 0

    var isStopped: Bool { state == "T" || state == "t" }
    var isRunnable: Bool { state == "R" }
    var waitsForDisk: Bool { state == "D" }
    /// It runs, waits for a processor, or waits for a disk: whatever it is late with, it is at work.
    var isAtWork: Bool { isRunnable || waitsForDisk }

    /// All threads of a process; empty if it has ended.
    static func all(of pid: Int32) -> [ThreadSample] {
        let directory = "/proc/\(pid)/task"
        return ((try? Directory.names(directory)) ?? []).compactMap { name in
            ThreadSample(in: "\(directory)/\(String(decoding: name, as: UTF8.self))")
        }
    }
}

extension ThreadSample {
    private init?(in directory: String) {
        guard let stat = try? File.text(directory + "/stat") else { return nil }
        self.init(stat: stat, schedstat: (try? File.text(directory + "/schedstat")) ?? "")
    }

    /// From the lines of the two files; nil if the first is none. `schedstat` is nanoseconds on a processor, nanoseconds that it waited for
    /// one, and slices.
    init?(stat: String, schedstat: String) {
        // The name between the parentheses may hold spaces and parentheses.
        guard let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")"),
            let id = Int32(stat[..<open].filter { $0 != " " }),
            let state = stat[stat.index(after: close)...].first(where: { $0 != " " })
        else { return nil }
        let times = schedstat.split { $0 == " " || $0 == "\n" }.compactMap { UInt64($0) }
        self.init(
            id: id, name: String(stat[stat.index(after: open)..<close]), state: state,
            time: .nanoseconds(Int64(clamping: times.first ?? 0)), slices: times.count > 2 ? times[2] : 0)
    }
}
