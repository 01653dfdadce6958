import TOMLKit

/// A value as it was written, before its type is checked.
enum ConfigurationValue: Hashable, Sendable {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    case array([ConfigurationValue])
    case table
    /// A type that no key takes, by its name in TOML.
    case other(String)
    /// Text from the environment or a flag: it may stand for any type.
    case text(String)

    init(_ value: some TOMLValueConvertible) {
        switch value.type {
        case .string: self = .string(value.string ?? "")
        case .int: self = .integer(value.int ?? 0)
        case .bool: self = .boolean(value.bool ?? false)
        case .array: self = .array(Self.elements(of: value.array))
        case .table: self = .table
        default: self = .other(value.type.description)
        }
    }

    private static func elements(of array: TOMLArray?) -> [ConfigurationValue] {
        guard let array else { return [] }
        return array.map { element in
            func open(_ element: some TOMLValueConvertible) -> ConfigurationValue { ConfigurationValue(element) }
            return open(element)
        }
    }

    /// What it is, for a message.
    var kind: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .boolean: "a boolean"
        case .array: "an array"
        case .table: "a table"
        case .other(let name): "a \(name)"
        case .text: "text"
        }
    }
}

/// Why a value is not what its key takes.
struct ValueError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
