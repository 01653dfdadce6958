import HTTPTypes
import Supervision

/// Which routes a role may use. What an agent may see of them is narrowed further, by the owner of the mount.
enum AccessRules {
    static func allow(_ role: Role, _ method: HTTPRequest.Method, _ route: Route) -> Bool {
        switch role {
        case .operator: true
        case .agent: isForAgents(route)
        // What is gone is gone for everybody.
        case .reader: if case .legacy = route { true } else { method == .get || method == .head }
        }
    }

    private static func isForAgents(_ route: Route) -> Bool {
        switch route {
        case .health, .openAPI, .events, .legacy, .mounts, .mount, .ready, .job, .renew, .reset, .changelist, .diff:
            true
        default: false
        }
    }
}
