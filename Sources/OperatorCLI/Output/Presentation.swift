import Glibc
import LinuxSystem

/// What the commands print when nobody asked for JSON.
enum Presentation {
    static let listColumns: [MountColumn] = [.job, .state, .commit, .path, .mountpoint, .id]
    /// With the reasons, if a mount has failed.
    static func listColumns(for mounts: [MountReport]) -> [MountColumn] {
        listColumns + (mounts.contains { $0.state.reason != nil } ? [.reason] : [])
    }

    static let workerColumns: [MountColumn] = [
        .job, .state, .commit, .worker, .restarts, .memory, .waiting, .cause, .mountpoint,
    ]

    static func list(_ mounts: [MountReport], _ columns: [MountColumn] = listColumns) -> [String] {
        if mounts.isEmpty { return ["no mounts"] }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let now = Int64(time.tv_sec) * 1000
        var table = Table(columns.map(\.title))
        table.rows = mounts.map { mount in columns.map { $0.text(mount, now: now) } }
        return table.lines
    }

    static func health(_ health: HealthReport) -> [String] {
        let cache = health.cachePID.map { "pid \($0)" } ?? "not running"
        let lines = [
            "supervisor  \(health.status), version \(health.version), up \(Printable.duration(seconds: health.uptime))",
            "mounts      \(health.mountCount)",
            "spares      \(health.spareWorkers)",
            "cache       \(cache)",
        ]
        return lines + health.problems.map { "problem     \(Printable.text($0))" }
    }

    /// A mount, with what is known of the worker's process.
    static func mount(_ mount: MountReport, _ process: StatusReport.Process? = nil) -> [String] {
        var pairs: [(String, String)] = [
            ("mount", mount.id), ("job", name(of: mount)),
            ("state", mount.state.reason.map { "\(mount.state.name): \($0)" } ?? mount.state.name),
            ("mountpoint", mount.mountpoint), ("path", mount.path), ("origin", mount.origin ?? "-"),
            ("rev", mount.revision ?? "-"), ("commit", mount.commit ?? "-"), ("lower", mount.lower ?? "-"),
            ("made", Printable.time(mount.createdAt)),
            ("ready after", mount.readyAfter.map { "\(($0 * 10).rounded() / 10) ms" } ?? "-"),
        ]
        if let left = mount.leaseLeft {
            pairs.append(("lease", "\(Printable.duration(seconds: Int(max(0, left)))) left"))
        } else if let idle = mount.idleTTL {
            pairs.append(("lease", "ends when nobody has used it for \(Printable.duration(seconds: idle))"))
        }
        if let changelist = mount.changelist {
            pairs.append(("changelist", "\(changelist) at \(mount.changelistPath ?? "-"), on \(mount.base ?? "-")"))
        }
        if let exchange = mount.exchange, exchange.state != "done" {
            pairs.append(("switch", exchange.reason.map { "\(exchange.state): \($0)" } ?? exchange.state))
        }
        if let labels = mount.labels, !labels.isEmpty {
            pairs.append(
                ("labels", labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")))
        }
        if let worker = mount.worker {
            let cause = worker.lastRestartCause.map { ", last: \($0)" } ?? ""
            pairs += [
                ("worker", "pid \(worker.pid)"), ("restarts", "\(worker.restarts)\(cause)"),
                ("memory", worker.memoryBytes.map(Printable.size) ?? "-"),
                ("waiting", worker.waiting.map { "\($0) requests" } ?? "-"), ("served", "\(worker.served) requests"),
            ]
            if let process { pairs += self.pairs(of: process) }
        } else {
            pairs.append(("worker", "none"))
        }
        return pairs.map { key, value in
            key + String(repeating: " ", count: 13 - key.count) + Printable.text(value)
        }
    }

    private static func pairs(of process: StatusReport.Process) -> [(String, String)] {
        [
            ("started", process.startedAt.map(Printable.time) ?? "-"),
            ("in flight", process.inFlight.map { "\($0) requests" } ?? "-"),
            ("oldest", process.oldest.map { "\(($0 * 10).rounded() / 10) s" } ?? "-"),
            ("cpu", process.cpuTime.map { "\(Double($0 / 10) / 100) s" } ?? "-"),
            ("fds", process.descriptors.map(String.init) ?? "-"),
            ("holders", process.holders?.joined(separator: ", ") ?? "-"),
        ]
    }

    static func processes(_ processes: [HealthReport.Process]) -> [String] {
        if processes.isEmpty { return [] }
        var table = Table(["PROCESS", "PID", "RESTARTS", "MEMORY", "LAST CAUSE"])
        table.rows = processes.map {
            [
                $0.kind, "\($0.pid)", "\($0.restarts)", $0.memoryBytes.map(Printable.size) ?? "-",
                $0.lastRestartCause ?? "-",
            ]
        }
        return [""] + table.lines
    }

    static func processTable(_ processes: [StatusReport.Process]) -> [String] {
        var table = Table([
            "KIND", "PID", "JOB", "STATE", "LOWER", "STARTED", "RESTARTS", "SERVED", "IN FLIGHT", "OLDEST", "WAITING",
            "MEMORY", "CPU", "FDS", "HOLDERS", "LAST CAUSE",
        ])
        table.rows = processes.map { process in
            [
                process.kind, "\(process.pid)", process.job ?? process.mount ?? "-", process.state?.name ?? "-",
                process.lower ?? "-", process.startedAt.map(Printable.time) ?? "-", "\(process.restarts)",
                process.served.map(String.init) ?? "-", process.inFlight.map(String.init) ?? "-",
                process.oldest.map { "\(($0 * 10).rounded() / 10) s" } ?? "-",
                process.waiting.map(String.init) ?? "-", process.memoryBytes.map(Printable.size) ?? "-",
                process.cpuTime.map { "\(Double($0 / 10) / 100) s" } ?? "-",
                process.descriptors.map(String.init) ?? "-", process.holders?.joined(separator: ",") ?? "-",
                process.lastRestartCause ?? "-",
            ]
        }
        return table.lines
    }

    /// Time, id, what, mount, job, duration, cause and details, the first ones in columns:
    /// `2026-11-22T17:38:01.250Z  1795728783820006  takeover  824d59b0  ci-17  3.2 ms  signal 9 (pid=12 reason=killed)`.
    static func event(_ event: EventReport) -> String {
        if event.kind == "gap" {
            return "-  events are missing here: more came than are kept, or the one before was of an earlier supervisor"
        }
        let time = event.time.map(Printable.time) ?? "-"
        let id = event.id.map(String.init) ?? "-"
        var line = "\(time)  \(id)"
        let mount = event.mount.map { String($0.prefix { $0 != "-" }) } ?? "-"
        let duration = event.duration.map(Printable.duration(milliseconds:)) ?? "-"
        for (text, width) in [(event.kind, 19), (mount, 8), (event.job ?? "-", 16), (duration, 8)] {
            line += "  " + text + String(repeating: " ", count: max(0, width - TerminalText.width(text)))
        }
        let details = (event.details ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let why = [event.cause, details.isEmpty ? nil : "(\(details.joined(separator: " ")))"].compactMap { $0 }
        line += "  " + why.joined(separator: " ")
        while line.last == " " { line.removeLast() }
        return Printable.text(line)
    }

    /// What whoever unmounted should know; nothing if nobody was in the way.
    static func unmount(_ report: UnmountReport) -> [String] {
        var lines = report.holders.map { "in use by \(describe($0))" }
        if !report.killed.isEmpty { lines.append("ended \(report.killed.map(String.init).joined(separator: ", "))") }
        if report.rung == "forced" { lines.append("unmounted by force; who used it gets errors now") }
        if report.pinnedElsewhere { lines.append("still pinned by another mount namespace or a bind mount") }
        if let upper = report.keptUpper { lines.append("what was written is kept in \(Printable.text(upper))") }
        return lines
    }

    static func exchange(_ report: SwitchReport) -> [String] {
        var lines: [String] = []
        if report.carried > 0 { lines.append("taken over: \(report.carried) changes of the job") }
        lines += report.conflicts.map { Printable.text("conflict: \($0) (the job's version is there now)") }
        return lines + report.holders.map { "still sees the view before: \(describe($0))" }
    }

    private static func describe(_ holder: UnmountReport.Holder) -> String {
        let who = holder.pid == 0 ? "" : "\(holder.comm)[\(holder.pid)] "
        return Printable.text("\(who)(\(holder.what) \(holder.path))")
    }

    static func name(of mount: MountReport) -> String {
        mount.job ?? mount.build ?? "-"
    }

    static func commit(_ mount: MountReport) -> String {
        mount.commit.map { String($0.prefix(12)) } ?? "-"
    }
}
