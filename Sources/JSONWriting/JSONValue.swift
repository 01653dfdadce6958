/// A value that is neither object nor array.
struct JSONValue: SingleValueEncodingContainer {
    let output: JSONOutput

    var codingPath: [any CodingKey] { [] }

    func encodeNil() { output.null() }
    func encode(_ value: Bool) { output.boolean(value) }
    func encode(_ value: String) { output.text(value) }
    func encode(_ value: Double) throws { try output.number(value) }
    func encode(_ value: Float) throws { try output.number(value) }
    func encode(_ value: Int) { output.number(value) }
    func encode(_ value: Int8) { output.number(value) }
    func encode(_ value: Int16) { output.number(value) }
    func encode(_ value: Int32) { output.number(value) }
    func encode(_ value: Int64) { output.number(value) }
    func encode(_ value: UInt) { output.number(value) }
    func encode(_ value: UInt8) { output.number(value) }
    func encode(_ value: UInt16) { output.number(value) }
    func encode(_ value: UInt32) { output.number(value) }
    func encode(_ value: UInt64) { output.number(value) }
    func encode(_ value: some Encodable) throws { try JSONValueEncoder.encode(value, to: output) }
}
