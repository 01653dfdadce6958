public import GitObjects

/// Appends fields to a message, little endian.
public struct WireWriter: Sendable {
    public private(set) var bytes: [UInt8]

    public init(capacity: Int = 64) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    public mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Bytes without a length.
    public mutating func put(raw value: [UInt8]) {
        bytes.append(contentsOf: value)
    }

    public mutating func put(raw value: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: value)
    }

    /// A 32-bit length and the bytes.
    public mutating func put(bytes value: [UInt8]) {
        put(UInt32(value.count))
        put(raw: value)
    }

    /// A 32-bit length and the UTF-8 text.
    public mutating func put(_ value: String) {
        put(bytes: Array(value.utf8))
    }

    /// The kind and 32 bytes; the bytes after a 20-byte id are zero.
    public mutating func put(_ id: ObjectID) {
        put(id.kind.rawValue)
        put(raw: id.bytes)
        for _ in id.byteCount..<32 { put(UInt8(0)) }
    }
}
