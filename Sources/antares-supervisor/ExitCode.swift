import OperatorAPI
import Supervision

/// How antares-supervisor ends.
enum ExitCode: Int32 {
    case stopped = 0
    case internalError = 1
    case configuration = 2
    case mount = 3
    case bind = 4
    case originUnreachable = 6

    init(_ error: OperatorAPIError) {
        switch error.code {
        case .addressInUse: self = .bind
        case .configuration: self = .configuration
        case .system: self = .internalError
        }
    }

    init(_ error: SupervisorError) {
        switch error.code {
        case .invalidRequest, .badPayload: self = .configuration
        case .conflict: self = .bind
        case .mountFailed: self = .mount
        case .originUnreachable: self = .originUnreachable
        default: self = .internalError
        }
    }
}
