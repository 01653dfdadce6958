/// Values as JSON (RFC 8259).
public enum JSONText {
    /// The bytes of a value: the members of an object in the order in which they are encoded, those of dictionaries by name. Throws
    /// `EncodingError` for numbers that are not finite, and for values that encode nothing.
    ///
    /// `Data` of Foundation is encoded as the list of its bytes, dates as Foundation's own encoding of them has it.
    public static func bytes(of value: some Encodable) throws -> [UInt8] {
        let output = JSONOutput()
        try JSONValueEncoder.encode(value, to: output)
        return output.bytes
    }
}
