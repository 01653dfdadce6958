/// One thing that is wrong with the configuration: where, which key, and what to do.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    public let source: ConfigurationSource
    /// `section.key`, or empty if the problem is the file's.
    public let key: String
    public let message: String

    public init(_ source: ConfigurationSource, _ key: String, _ message: String) {
        self.source = source
        self.key = key
        self.message = message
    }

    public var description: String {
        // A flag names its key itself.
        let name = key.isEmpty || "\(source)".hasSuffix(" \(key)") ? "" : "\(key): "
        return "\(source): \(name)\(message)"
    }
}

/// All that is wrong, in one error.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public let problems: [ConfigurationProblem]

    public init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}

/// Where a value came from.
public enum ConfigurationSource: Hashable, Sendable, CustomStringConvertible {
    case byDefault
    /// `line` counts from 1; nil if it cannot be told.
    case file(String, line: Int?)
    case environment(String)
    case flag(String)

    public var description: String {
        switch self {
        case .byDefault: "default"
        case .file(let name, let line): line.map { "\(name):\($0)" } ?? name
        case .environment(let name): "$\(name)"
        case .flag(let name): name
        }
    }
}
