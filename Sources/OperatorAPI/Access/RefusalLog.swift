import HTTPTypes
import LinuxSystem
import Logging
import NIOCore
import Supervision

/// Says who was not let in: a line a second at most, with the number of those that had none, so that nobody fills the log by knocking.
final class RefusalLog: Sendable {
    static let interval: Duration = .seconds(1)

    private struct State {
        var next = Deadline(nanoseconds: 0)
        var unsaid = 0
    }

    private let audit: Logger?
    private let state = Guarded(State())

    init(_ audit: Logger?) {
        self.audit = audit
    }

    /// How many refusals before this one were not said; nil if this one is not to be said either.
    func unsaid(at now: Deadline) -> Int? {
        state.with { state in
            guard now >= state.next else {
                state.unsaid += 1
                return nil
            }
            defer { state.unsaid = 0 }
            state.next = now.advanced(by: Self.interval)
            return state.unsaid
        }
    }

    /// What somebody is told of it who may be a stranger: nothing of our files.
    static func shown(_ error: SupervisorError) -> SupervisorError {
        guard error.code == .internalError else { return error }
        return SupervisorError(.internalError, "it cannot be found out who you are; the supervisor's log says why")
    }

    func note(_ request: HTTPRequest, from address: SocketAddress?, _ error: SupervisorError) {
        guard let audit, let unsaid = unsaid(at: .now) else { return }
        var metadata: Logger.Metadata = [
            "method": "\(request.method)", "route": "\(Route(path: request.path ?? "")?.pattern ?? "unknown")",
            "reason": "\(error.message)", "unsaid": "\(unsaid)",
        ]
        if let address = address?.hostAndPort { metadata["address"] = "\(address)" }
        audit.warning("refused", metadata: metadata)
    }
}
