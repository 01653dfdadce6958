import Probes
import Supervision

/// The options of a DELETE: `?force=true&kill=true`, or a body `{"force": true, "kill": true}`.
enum UnmountOptionsBody {
    private struct Body: Decodable {
        var force: Bool?
        var kill: Bool?
    }

    static func options(_ body: some Collection<UInt8>, path: String) throws(SupervisorError) -> UnmountOptions {
        var options = UnmountOptions()
        if !body.isEmpty {
            let decoded = try StrictBody.decode(
                Body.self, from: body, known: ["force", "kill"], like: "{\"force\": true, \"kill\": true}, or empty")
            options = UnmountOptions(force: decoded.force ?? false, kill: decoded.kill ?? false)
        }
        for (name, on) in try Query.flags(of: path, known: ["force", "kill"]) {
            if name == "force" { options.force = on } else { options.kill = on }
        }
        return options
    }
}

/// How an unmount went.
struct UnmountReportBody: Encodable {
    let report: UnmountReport

    init(_ report: UnmountReport) {
        self.report = report
    }

    private enum Key: String, CodingKey {
        case rung, holders, killed
        case duration = "duration_ms"
        case holdersComplete = "holders_complete"
        case pinnedElsewhere = "pinned_elsewhere"
        case keptUpper = "kept_upper"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(report.rung.rawValue, forKey: .rung)
        try container.encode(report.duration, forKey: .duration)
        try container.encode(report.holders.map(HolderBody.init), forKey: .holders)
        try container.encode(report.holdersComplete, forKey: .holdersComplete)
        try container.encode(report.killed, forKey: .killed)
        try container.encode(report.pinnedElsewhere, forKey: .pinnedElsewhere)
        try container.encode(report.keptUpper, forKey: .keptUpper)
    }
}

/// One use of a mount.
struct HolderBody: Encodable {
    let pid: Int32
    let uid: UInt32
    let comm: String
    let what: String
    let path: String

    init(_ holder: Holder) {
        pid = holder.pid
        uid = holder.uid
        comm = holder.command
        what = holder.use.name
        path = holder.path
    }
}
