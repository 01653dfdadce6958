import HTTPTypes
import Supervision

extension SupervisorError.Code {
    /// The one place that says which HTTP status a code has.
    var status: HTTPResponse.Status {
        switch self {
        case .invalidRequest, .badPayload: .badRequest
        case .notFound, .pathNotFound, .revisionNotFound: .notFound
        case .conflict: .conflict
        case .originUnreachable, .originCorrupt: .badGateway
        case .timedOut: .gatewayTimeout
        case .mountFailed, .internalError: .internalServerError
        case .shuttingDown: .serviceUnavailable
        }
    }
}
