/// Encodes a value onto the end of an output.
struct JSONValueEncoder: Encoder {
    private let output: JSONOutput
    /// What was open before the value of this encoder.
    private let depth: Int

    /// The next value of what is open, to its end.
    static func encode<Value: Encodable>(_ value: Value, to output: JSONOutput) throws {
        let (depth, before) = (output.depth, output.bytes.count)
        // The order of these is another in each process. Compared first, because a cast that fails costs more than most values.
        if Value.self == [String: String].self, let members = value as? [String: String] {
            try encode(members, to: output)
        } else if Value.self == [String: Int].self, let members = value as? [String: Int] {
            try encode(members, to: output)
        } else {
            try value.encode(to: JSONValueEncoder(output: output, depth: depth))
        }
        guard output.bytes.count > before else {
            throw EncodingError.invalidValue(value, .init(codingPath: [], debugDescription: "it encodes nothing"))
        }
        output.close(to: depth)
    }

    private static func encode(_ members: [String: some Encodable], to output: JSONOutput) throws {
        output.beginObject()
        let depth = output.depth
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            output.member(name, at: depth)
            try encode(value, to: output)
        }
    }

    init(output: JSONOutput, depth: Int) {
        self.output = output
        self.depth = depth
    }

    /// Not kept: errors here are mistakes of this program, which tests find.
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if output.depth == depth { output.beginObject() }
        return KeyedEncodingContainer(JSONMembers<Key>(output: output, depth: depth + 1))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if output.depth == depth { output.beginArray() }
        return JSONElements(output: output, depth: depth + 1)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        JSONValue(output: output)
    }
}
