/// Why the API cannot be served.
public struct OperatorAPIError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Somebody else has the socket or the port.
        case addressInUse
        /// The configuration names something that does not exist.
        case configuration
        case system
    }

    public let code: Code
    /// What, where and what to do.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String {
        message
    }
}
