import Hummingbird
import Logging
import Supervision

extension OperatorResponder {
    /// Who changed what or looked into a job's files, and what took long.
    func note(_ request: Request, _ route: Route?, _ caller: Caller, _ response: Response, _ duration: Duration) {
        // What a job wrote is read from its files, and it takes time.
        let isDiff = if case .diff = route { true } else { false }
        let isAudited = isDiff || request.method != .get && request.method != .head
        let isSlow = duration > slow()
        guard isAudited || isSlow else { return }
        let made = response.headers[.contentLocation] ?? response.headers[.location]
        var metadata: Logger.Metadata = [
            "method": "\(request.method)", "route": "\(route?.pattern ?? "unknown")",
            "target": "\(route?.target ?? made?.split(separator: "/").last.map(String.init) ?? "-")",
            "status": "\(response.status.code)", "uid": "\(caller.uid)", "pid": "\(caller.pid)",
            "role": "\(caller.role.rawValue)", "duration_ms": "\(duration / .milliseconds(1))",
        ]
        if let address = caller.address { metadata["address"] = "\(address)" }
        if isAudited { audit?.info("call", metadata: metadata) }
        if isSlow { logger.warning("slow request", metadata: metadata) }
    }
}

extension Route {
    /// The mount or job that it names.
    var target: String? {
        switch self {
        case .mount(let name), .ready(let name), .reset(let name), .job(let name), .renew(let name),
            .changelist(let name), .diff(let name):
            name
        default: nil
        }
    }
}
