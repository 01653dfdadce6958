import Foundation

/// As much of JSON Schema 2020-12 as the description uses.
package struct Schema {
    let document: [String: Any]

    /// What is wrong with a value; empty if nothing is.
    package func problems(of value: Any, against schema: [String: Any], at place: String = "$") -> [String] {
        if let target = schema["$ref"] as? String { return problems(of: value, against: resolve(target), at: place) }
        if let forms = schema["anyOf"] as? [[String: Any]] {
            let each = forms.map { problems(of: value, against: $0, at: place) }
            return each.contains { $0.isEmpty } ? [] : ["\(place): none of its forms: \(each)"]
        }
        var found: [String] = []
        let types = (schema["type"] as? [String]) ?? (schema["type"] as? String).map { [$0] } ?? []
        if !types.isEmpty, !types.contains(where: { Self.isA($0, value) }) {
            found.append("\(place): \(value) is no \(types)")
        }
        if let words = schema["enum"] as? [Any], !words.contains(where: { Self.areSame($0, value) }) {
            found.append("\(place): \(value) is none of \(words)")
        }
        if let object = value as? [String: Any] { found += members(of: object, against: schema, at: place) }
        if let array = value as? [Any], let items = schema["items"] as? [String: Any] {
            for (index, item) in array.enumerated() {
                found += problems(of: item, against: items, at: "\(place)[\(index)]")
            }
        }
        return found
    }

    private func members(of object: [String: Any], against schema: [String: Any], at place: String) -> [String] {
        let known = schema["properties"] as? [String: [String: Any]] ?? [:]
        var found = (schema["required"] as? [String] ?? []).filter { object[$0] == nil }.map { "\(place): no \($0)" }
        for (name, value) in object {
            if let member = known[name] {
                found += problems(of: value, against: member, at: "\(place).\(name)")
            } else if schema["additionalProperties"] as? Bool == false {
                found.append("\(place): \(name) is not described")
            } else if let others = schema["additionalProperties"] as? [String: Any] {
                found += problems(of: value, against: others, at: "\(place).\(name)")
            }
        }
        return found
    }

    /// `#/components/…`
    package func resolve(_ target: String) -> [String: Any] {
        var place: Any = document
        for step in target.split(separator: "/").dropFirst() { place = (place as? [String: Any])?[String(step)] ?? [:] }
        return place as? [String: Any] ?? [:]
    }

    /// Words and null are all that an enumeration has here.
    private static func areSame(_ one: Any, _ other: Any) -> Bool {
        one is NSNull ? other is NSNull : (one as? String).map { $0 == other as? String } ?? false
    }

    private static func isA(_ type: String, _ value: Any) -> Bool {
        switch type {
        case "null": return value is NSNull
        case "string": return value is String
        case "array": return value is [Any]
        case "object": return value is [String: Any]
        default:
            guard let number = value as? NSNumber else { return false }
            let isBoolean = "\(Swift.type(of: value))".contains("Bool") || String(cString: number.objCType) == "c"
            if type == "boolean" { return isBoolean }
            return !isBoolean && (type == "number" || number.doubleValue == number.doubleValue.rounded())
        }
    }
}
