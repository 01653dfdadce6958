import HTTPTypes
import Supervision

extension SupervisorError.Code {
    /// The one place that says which HTTP status a code has.
    var status: HTTPResponse.Status {
        switch self {
        case .invalidRequest, .badPayload: .badRequest
        case .forbidden: .forbidden
        case .gone: .gone
        case .unauthorized: .unauthorized
        case .notFound, .pathNotFound, .revisionNotFound, .changelistNotFound: .notFound
        case .conflict, .changelistConflict: .conflict
        case .originUnreachable, .originCorrupt: .badGateway
        case .timedOut: .gatewayTimeout
        case .mountFailed, .internalError: .internalServerError
        case .overloaded, .shuttingDown: .serviceUnavailable
        }
    }
}
