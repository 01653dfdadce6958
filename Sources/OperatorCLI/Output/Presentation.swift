/// What the commands print when nobody asked for JSON.
enum Presentation {
    static func list(_ mounts: [MountReport]) -> [String] {
        if mounts.isEmpty { return ["no mounts"] }
        var table = Table(["JOB", "STATE", "COMMIT", "PATH", "MOUNTPOINT", "MOUNT ID"])
        table.rows = mounts.map {
            [name(of: $0), $0.state.name, commit($0), $0.path, $0.mountpoint, $0.id]
        }
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

    static func workers(_ mounts: [MountReport]) -> [String] {
        var table = Table(["JOB", "STATE", "COMMIT", "WORKER", "RESTARTS", "MEMORY", "WAITING", "MOUNTPOINT"])
        table.rows = mounts.map { mount in
            let worker = mount.worker
            return [
                name(of: mount), mount.state.name, commit(mount), worker.map { "\($0.pid)" } ?? "-",
                worker.map { "\($0.restarts)" } ?? "-", worker?.memoryBytes.map(Printable.size) ?? "-",
                worker?.waiting.map(String.init) ?? "-", mount.mountpoint,
            ]
        }
        return table.lines
    }

    static func mount(_ mount: MountReport) -> [String] {
        var pairs: [(String, String)] = [
            ("mount", mount.id), ("job", name(of: mount)),
            ("state", mount.state.reason.map { "\(mount.state.name): \($0)" } ?? mount.state.name),
            ("mountpoint", mount.mountpoint), ("path", mount.path), ("origin", mount.origin ?? "-"),
            ("commit", mount.commit ?? "-"),
            ("ready after", mount.readyAfter.map { "\(($0 * 10).rounded() / 10) ms" } ?? "-"),
        ]
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
        } else {
            pairs.append(("worker", "none"))
        }
        return pairs.map { key, value in
            key + String(repeating: " ", count: 13 - key.count) + Printable.text(value)
        }
    }

    private static func name(of mount: MountReport) -> String {
        mount.job ?? mount.build ?? "-"
    }

    private static func commit(_ mount: MountReport) -> String {
        mount.commit.map { String($0.prefix(12)) } ?? "-"
    }
}
