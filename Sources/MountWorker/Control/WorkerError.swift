public import LinuxSystem

/// Why a worker cannot do what the supervisor asks.
public struct WorkerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable names, for logs and tests.
    public enum Code: String, Sendable {
        /// The supervisor speaks another version.
        case version
        /// A request that does not fit the worker's state.
        case state
        /// A message or its descriptors break the protocol.
        case message
        /// The kernel, libfuse or memory refused.
        case system
    }

    public let code: Code
    public let message: String
    public let cause: SystemError?

    init(_ code: Code, _ message: String, cause: SystemError? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    init(_ error: SystemError) {
        self.init(.system, "cannot serve the mount", cause: error)
    }

    public var description: String {
        cause.map { "\(code.rawValue): \(message): \($0)" } ?? "\(code.rawValue): \(message)"
    }
}
