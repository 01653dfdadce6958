/// The wire format of a stream of objects, `application/x-antares-objects`. All numbers are little endian.
///
///     u8  kind      'T' tree, 'B' blob, 'M' missing, 'E' end of the stream
///     u8  count     bytes of the id: 20 or 32; 0 for 'E'
///         id
///     u64 length    bytes of the payload; 0 for 'M' and 'E'
///         payload   the raw object, so that it verifies against the id
///
/// After the payload of a tree follow a u32 n, the number of its entries, and n u64 sizes in the order of the entries:
/// bytes of the blob for files and symbolic links, `noSize` for directories and submodules and for a blob that the origin
/// does not have. A stream that ends without 'E' was cut off.
public enum ObjectFrame {
    public enum Kind: UInt8, Sendable {
        case tree = 0x54
        case blob = 0x42
        case missing = 0x4d
        case end = 0x45
    }

    /// Stands for the size of an entry that has none.
    public static let noSize = UInt64.max

    /// Of a request body: ids in one `POST` of trees or blobs.
    public static let maximumIDsPerRequest = 4096

    public static let mediaType = "application/x-antares-objects"

    /// Kind, id and payload length; the payload follows.
    public static func header(_ kind: Kind, _ id: ObjectID, length: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2 + id.byteCount + 8)
        Self.appendHeader(to: &bytes, kind, id, length: length)
        return bytes
    }

    public static func appendHeader(to bytes: inout [UInt8], _ kind: Kind, _ id: ObjectID, length: UInt64) {
        bytes.append(kind.rawValue)
        bytes.append(UInt8(id.byteCount))
        id.withBytes { bytes.append(contentsOf: $0) }
        Self.append(length, to: &bytes)
    }

    /// A whole tree frame. `sizes` has one element for each entry of the payload.
    public static func appendTree(to bytes: inout [UInt8], _ id: ObjectID, payload: [UInt8], sizes: [UInt64]) {
        bytes.reserveCapacity(bytes.count + 2 + id.byteCount + 8 + payload.count + 4 + sizes.count * 8)
        Self.appendHeader(to: &bytes, .tree, id, length: UInt64(payload.count))
        bytes += payload
        Self.append(UInt32(sizes.count), to: &bytes)
        for size in sizes { Self.append(size, to: &bytes) }
    }

    public static func appendMissing(to bytes: inout [UInt8], _ id: ObjectID) {
        Self.appendHeader(to: &bytes, .missing, id, length: 0)
    }

    /// The frame that says that the stream is complete.
    public static let end: [UInt8] = [Kind.end.rawValue, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}

/// Why a stream of frames cannot be read on.
public enum ObjectFrameError: Error, Hashable, Sendable, CustomStringConvertible {
    case unknownKind(UInt8)
    case idLength(UInt8)
    /// A frame that carries no payload announces one.
    case unexpectedPayload
    case treeTooLarge(UInt64)
    case blobTooLarge(UInt64)
    /// More entries than a tree of that length can have.
    case entryCount(UInt32)
    /// Bytes after the end frame.
    case trailingBytes

    public var description: String {
        switch self {
        case .unknownKind(let kind): "unknown frame kind \(kind)"
        case .idLength(let count): "an id of \(count) bytes"
        case .unexpectedPayload: "a payload in a frame that has none"
        case .treeTooLarge(let length): "a tree of \(length) bytes is over the limit"
        case .blobTooLarge(let length): "a blob of \(length) bytes is over the limit"
        case .entryCount(let count): "\(count) sizes for a tree that cannot have so many entries"
        case .trailingBytes: "bytes after the end of the stream"
        }
    }
}
