public import GitObjects

/// Takes fields off a received message, checking every bound: the sender is not trusted.
public struct WireReader: Sendable {
    private let bytes: [UInt8]
    private var position: Int

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
    }

    public var remaining: Int {
        bytes.count - position
    }

    public mutating func uint8() throws(WireError) -> UInt8 { try integer() }
    public mutating func uint16() throws(WireError) -> UInt16 { try integer() }
    public mutating func uint32() throws(WireError) -> UInt32 { try integer() }
    public mutating func uint64() throws(WireError) -> UInt64 { try integer() }
    public mutating func int64() throws(WireError) -> Int64 { try integer() }

    /// The next `count` bytes.
    public mutating func raw(_ count: Int) throws(WireError) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    /// Everything that is left.
    public mutating func rest() -> [UInt8] {
        defer { position = bytes.count }
        return Array(bytes[position...])
    }

    public mutating func lengthPrefixedBytes() throws(WireError) -> [UInt8] {
        try raw(Int(try uint32()))
    }

    /// Text; invalid UTF-8 is an error.
    public mutating func string() throws(WireError) -> String {
        guard let text = String(validating: try lengthPrefixedBytes(), as: UTF8.self) else { throw .invalid("text") }
        return text
    }

    public mutating func objectID() throws(WireError) -> ObjectID {
        guard let kind = ObjectID.Kind(rawValue: try uint8()) else { throw .invalid("object id kind") }
        let field = try raw(32)
        guard let id = ObjectID(kind: kind, bytes: field.prefix(kind.byteCount)) else { throw .invalid("object id") }
        return id
    }

    /// Call after the last field.
    public func end() throws(WireError) {
        if remaining != 0 { throw .trailingBytes }
    }

    private mutating func integer<Value: FixedWidthInteger>() throws(WireError) -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= remaining else { throw .truncated }
        defer { position += size }
        return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Value.self)) }
    }
}
