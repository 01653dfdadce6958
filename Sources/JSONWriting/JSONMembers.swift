/// The members of an object.
struct JSONMembers<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let output: JSONOutput
    /// The object is the last of the first `depth` that are open.
    let depth: Int

    var codingPath: [any CodingKey] { [] }

    private func begin(_ key: some CodingKey) {
        output.member(key.stringValue, at: depth)
    }

    func encodeNil(forKey key: Key) {
        begin(key)
        output.null()
    }

    func encode(_ value: Bool, forKey key: Key) {
        begin(key)
        output.boolean(value)
    }

    func encode(_ value: String, forKey key: Key) {
        begin(key)
        output.text(value)
    }

    func encode(_ value: Double, forKey key: Key) throws {
        begin(key)
        try output.number(value)
    }

    func encode(_ value: Float, forKey key: Key) throws {
        begin(key)
        try output.number(value)
    }

    func encode(_ value: Int, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: Int8, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: Int16, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: Int32, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: Int64, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: UInt, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: UInt8, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: UInt16, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: UInt32, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: UInt64, forKey key: Key) {
        begin(key)
        output.number(value)
    }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        begin(key)
        try JSONValueEncoder.encode(value, to: output)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        begin(key)
        return JSONValueEncoder(output: output, depth: depth).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        begin(key)
        return JSONValueEncoder(output: output, depth: depth).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        output.member("super", at: depth)
        return JSONValueEncoder(output: output, depth: depth)
    }

    func superEncoder(forKey key: Key) -> any Encoder {
        begin(key)
        return JSONValueEncoder(output: output, depth: depth)
    }
}
