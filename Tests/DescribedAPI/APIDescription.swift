import Foundation

/// The description of the API as clients get it, and what an answer has to be by it.
package struct APIDescription {
    package struct Operation: Hashable, Comparable, CustomStringConvertible {
        package let method: String
        /// With names in braces, as the description has it.
        package let path: String

        package init(_ method: String, _ path: String) {
            self.method = method
            self.path = path
        }

        package static func < (one: Self, other: Self) -> Bool {
            (one.path, one.method) < (other.path, other.method)
        }

        package var description: String { "\(method) \(path)" }
    }

    package struct Malformed: Error {}

    package let document: [String: Any]
    package let schema: Schema
    private let paths: [String: [String: [String: Any]]]

    /// Of the body of `GET /openapi.json`.
    package init(_ text: some Sequence<UInt8>) throws {
        guard let document = try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any],
            let paths = document["paths"] as? [String: [String: [String: Any]]]
        else { throw Malformed() }
        self.document = document
        self.paths = paths
        schema = Schema(document: document)
    }

    /// In the order of their paths.
    package var operations: [Operation] {
        paths.flatMap { path, methods in methods.keys.map { Operation($0.uppercased(), path) } }.sorted()
    }

    /// The statuses that an operation may answer with.
    package func statuses(of operation: Operation) -> Set<Int> {
        Set(responses(of: operation).keys.compactMap { Int($0) })
    }

    /// What is wrong with an answer; empty if nothing is.
    package func problems(
        of operation: Operation, status: Int, contentType: String?, body: some Sequence<UInt8>
    ) -> [String] {
        guard var response = responses(of: operation)["\(status)"] else {
            return ["\(operation): \(status) is not described"]
        }
        if let target = response["$ref"] as? String { response = schema.resolve(target) }
        return problems(of: response, contentType, body).map { "\(operation): \(status): \($0)" }
    }

    /// What is wrong with an answer as one of `components/responses`.
    package func problems(ofResponse name: String, contentType: String?, body: some Sequence<UInt8>) -> [String] {
        problems(of: schema.resolve("#/components/responses/\(name)"), contentType, body)
    }

    private func problems(
        of response: [String: Any], _ contentType: String?, _ body: some Sequence<UInt8>
    ) -> [String] {
        let type = contentType?.split(separator: ";").first.map(String.init) ?? "-"
        let content = response["content"] as? [String: [String: Any]]
        guard let form = content?[type]?["schema"] as? [String: Any] else { return ["\(type) is not described"] }
        guard type == "application/json" else { return [] }
        guard let value = try? JSONSerialization.jsonObject(with: Data(body)) else { return ["the body is no JSON"] }
        return schema.problems(of: value, against: form)
    }

    /// What is wrong with a text as one of `components/schemas`.
    package func problems(ofText text: String, as name: String) -> [String] {
        guard let value = try? JSONSerialization.jsonObject(with: Data(text.utf8)) else { return ["no JSON: \(text)"] }
        return schema.problems(of: value, against: schema.resolve("#/components/schemas/\(name)"))
    }

    private func responses(of operation: Operation) -> [String: [String: Any]] {
        paths[operation.path]?[operation.method.lowercased()]?["responses"] as? [String: [String: Any]] ?? [:]
    }
}
