/// What clients may expect of an exchange (RFC 9110 §10.1.1).
enum Expectation {
    /// The only one that is met: it is said when the body may be sent.
    static let goOn = "100-continue"

    /// What is expected, from the values of all headers `Expect`.
    static func all(in values: [String]) -> [String] {
        values.flatMap { $0.split(separator: ",") }.map(\.trimmed)
    }

    /// The first that is not met, as the client wrote it; nil if there is none.
    static func unmet(in values: [String]) -> String? {
        all(in: values).first { $0.lowercased() != goOn }
    }
}
