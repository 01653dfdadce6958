/// Why a command did not do what was asked: a line for each problem that says what to do, and how the process ends.
public struct CLIError: Error, Hashable, Sendable, CustomStringConvertible {
    public let exit: CLIExit
    /// Mostly one.
    public let lines: [String]

    public init(_ exit: CLIExit, _ message: String) {
        self.exit = exit
        lines = [message]
    }

    public init(_ exit: CLIExit, lines: [String]) {
        self.exit = exit
        self.lines = lines
    }

    /// All in one line.
    public var message: String {
        lines.joined(separator: "; ")
    }

    public var description: String {
        message
    }
}

/// How `antares` ends; `antares run` ends with its command's code instead.
public enum CLIExit: Int32, Sendable {
    case success = 0
    case internalError = 1
    /// The command line or the request is wrong.
    case usage = 2
    /// A mount could not be made or ended.
    case mount = 3
    case notFound = 5
    case originUnreachable = 6

    /// The exit code for an error of the API, by its stable code.
    public init(apiCode: String) {
        switch apiCode {
        case "INVALID_REQUEST", "BAD_PAYLOAD", "FORBIDDEN", "UNAUTHORIZED": self = .usage
        case "NOT_FOUND", "GONE", "PATH_NOT_FOUND", "REVISION_NOT_FOUND", "CHANGELIST_NOT_FOUND": self = .notFound
        case "CONFLICT", "CHANGELIST_CONFLICT", "FUSE_ERROR", "ORIGIN_CORRUPT", "TIMEOUT", "OVERLOADED": self = .mount
        case "ORIGIN_UNREACHABLE": self = .originUnreachable
        default: self = .internalError
        }
    }
}
