import LinuxSystem
import Supervision

/// One key: its name, its type, and the field it sets.
struct Setting<Root>: Sendable {
    typealias Field<Value> = any WritableKeyPath<Root, Value> & Sendable

    enum Kind: Sendable {
        case string(Field<String>)
        /// The empty string means none.
        case optional(Field<String?>)
        case strings(Field<[String]>)
        case duration(Field<Duration>)
        case bytes(Field<UInt64>)
        case count(Field<Int>)
        case boolean(Field<Bool>)
        case stopAction(Field<SupervisorConfiguration.StopAction>)
        /// One of some words.
        case choice(Field<String>, [String])
        /// `part=level`, each part once.
        case levels(Field<[LogPart: LogLevel]>)
    }

    /// When another value counts.
    enum Change: Sendable {
        case afterRestart
        case afterReload
    }

    let name: String
    let kind: Kind
    let change: Change

    init(_ name: String, _ kind: Kind, _ change: Change = .afterRestart) {
        self.name = name
        self.kind = kind
        self.change = change
    }

    /// Stores `value`, or says why it cannot be.
    func set(_ value: ConfigurationValue, in root: inout Root) throws(ValueError) {
        switch kind {
        case .string(let field):
            let text = try string(value)
            if text.isEmpty { throw ValueError("must not be empty") }
            root[keyPath: field] = text
        case .optional(let field):
            let text = try string(value)
            root[keyPath: field] = text.isEmpty ? nil : text
        case .strings(let field):
            root[keyPath: field] = try strings(value)
        case .duration(let field):
            root[keyPath: field] = try duration(value)
        case .bytes(let field):
            root[keyPath: field] = try bytes(value)
        case .count(let field):
            root[keyPath: field] = try count(value)
        case .boolean(let field):
            root[keyPath: field] = try boolean(value)
        case .stopAction(let field):
            let text = try string(value)
            guard let action = SupervisorConfiguration.StopAction(rawValue: text) else {
                let known = SupervisorConfiguration.StopAction.allCases.map { "\"\($0.rawValue)\"" }
                throw ValueError("`\(text)` is not \(known.joined(separator: " or "))")
            }
            root[keyPath: field] = action
        case .choice(let field, let words):
            let text = try string(value)
            guard words.contains(text) else {
                throw ValueError("`\(text)` is not one of \(words.map { "\"\($0)\"" }.joined(separator: ", "))")
            }
            root[keyPath: field] = text
        case .levels(let field):
            root[keyPath: field] = try levels(value)
        }
    }

    /// Gives `root` the value of another one.
    func copy(from other: Root, to root: inout Root) {
        switch kind {
        case .string(let field): root[keyPath: field] = other[keyPath: field]
        case .optional(let field): root[keyPath: field] = other[keyPath: field]
        case .strings(let field): root[keyPath: field] = other[keyPath: field]
        case .duration(let field): root[keyPath: field] = other[keyPath: field]
        case .bytes(let field): root[keyPath: field] = other[keyPath: field]
        case .count(let field): root[keyPath: field] = other[keyPath: field]
        case .boolean(let field): root[keyPath: field] = other[keyPath: field]
        case .stopAction(let field): root[keyPath: field] = other[keyPath: field]
        case .choice(let field, _): root[keyPath: field] = other[keyPath: field]
        case .levels(let field): root[keyPath: field] = other[keyPath: field]
        }
    }

    /// The value in TOML.
    func text(in root: Root) -> String {
        switch kind {
        case .string(let field): TOMLText.quoted(root[keyPath: field])
        case .optional(let field): TOMLText.quoted(root[keyPath: field] ?? "")
        case .strings(let field): "[" + root[keyPath: field].map(TOMLText.quoted).joined(separator: ", ") + "]"
        case .duration(let field): TOMLText.quoted(Quantity.text(root[keyPath: field]))
        case .bytes(let field): TOMLText.quoted(Quantity.text(bytes: root[keyPath: field]))
        case .count(let field): String(root[keyPath: field])
        case .boolean(let field): String(root[keyPath: field])
        case .stopAction(let field): TOMLText.quoted(root[keyPath: field].rawValue)
        case .choice(let field, _): TOMLText.quoted(root[keyPath: field])
        case .levels(let field):
            "["
                + root[keyPath: field].sorted { $0.key.rawValue < $1.key.rawValue }
                .map { TOMLText.quoted("\($0.key.rawValue)=\($0.value.rawValue)") }.joined(separator: ", ") + "]"
        }
    }

    private func string(_ value: ConfigurationValue) throws(ValueError) -> String {
        switch value {
        case .string(let text), .text(let text): return text
        default: throw ValueError("takes a string, not \(value.kind)")
        }
    }

    private func strings(_ value: ConfigurationValue) throws(ValueError) -> [String] {
        switch value {
        case .array(let elements):
            var result: [String] = []
            for element in elements {
                guard case .string(let text) = element else {
                    throw ValueError("takes an array of strings, but it has \(element.kind) in it")
                }
                result.append(text)
            }
            return result
        case .text(let text):
            return text.split(separator: ",").map(String.init)
        default:
            throw ValueError("takes an array of strings, not \(value.kind)")
        }
    }

    private func levels(_ value: ConfigurationValue) throws(ValueError) -> [LogPart: LogLevel] {
        var result: [LogPart: LogLevel] = [:]
        var wrong: [String] = []
        for text in try strings(value) {
            let words = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard words.count == 2, let part = LogPart(rawValue: words[0]), let level = LogLevel(rawValue: words[1])
            else {
                wrong.append("`\(text)`")
                continue
            }
            result[part] = level
        }
        if wrong.isEmpty { return result }
        let parts = LogPart.allCases.map(\.rawValue).joined(separator: ", ")
        let levels = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
        let verb = wrong.count == 1 ? "is" : "are"
        throw ValueError(
            "\(wrong.joined(separator: ", ")) \(verb) not PART=LEVEL; parts are \(parts), levels are \(levels)")
    }

    private func duration(_ value: ConfigurationValue) throws(ValueError) -> Duration {
        switch value {
        case .integer(let seconds) where seconds >= 0:
            return .seconds(seconds)
        case .string(let text), .text(let text):
            if let duration = Quantity.duration(text) { return duration }
            throw ValueError("`\(text)` is no duration; write it like \"10s\" or \"250ms\"")
        default:
            throw ValueError("takes a duration like \"10s\" or \"250ms\", not \(value.kind)")
        }
    }

    private func bytes(_ value: ConfigurationValue) throws(ValueError) -> UInt64 {
        switch value {
        case .integer(let count) where count >= 0:
            return UInt64(count)
        case .string(let text), .text(let text):
            if let bytes = Quantity.bytes(text) { return bytes }
            throw ValueError("`\(text)` is no size; write it like \"20GiB\" or \"500MB\"")
        default:
            throw ValueError("takes a size like \"20GiB\" or \"500MB\", not \(value.kind)")
        }
    }

    private func count(_ value: ConfigurationValue) throws(ValueError) -> Int {
        if case .integer(let number) = value { return number }
        if case .text(let text) = value, let number = Int(text) { return number }
        throw ValueError("takes an integer, not \(value.kind)")
    }

    private func boolean(_ value: ConfigurationValue) throws(ValueError) -> Bool {
        switch value {
        case .boolean(let on): return on
        case .text("true"), .text("1"), .text("yes"): return true
        case .text("false"), .text("0"), .text("no"): return false
        default: throw ValueError("takes true or false, not \(value.kind)")
        }
    }
}

enum TOMLText {
    /// A basic string of TOML 1.0, which is written as one of JSON.
    static func quoted(_ text: String) -> String {
        FieldText.quoted(text)
    }
}
