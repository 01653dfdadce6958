/// The elements of an array.
struct JSONElements: UnkeyedEncodingContainer {
    let output: JSONOutput
    /// The array is the last of the first `depth` that are open.
    let depth: Int
    private(set) var count = 0

    init(output: JSONOutput, depth: Int) {
        self.output = output
        self.depth = depth
    }

    var codingPath: [any CodingKey] { [] }

    private mutating func begin() {
        output.element(at: depth)
        count += 1
    }

    mutating func encodeNil() {
        begin()
        output.null()
    }

    mutating func encode(_ value: some Encodable) throws {
        begin()
        try JSONValueEncoder.encode(value, to: output)
    }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        begin()
        return JSONValueEncoder(output: output, depth: depth).container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        begin()
        return JSONValueEncoder(output: output, depth: depth).unkeyedContainer()
    }

    mutating func superEncoder() -> any Encoder {
        begin()
        return JSONValueEncoder(output: output, depth: depth)
    }
}
