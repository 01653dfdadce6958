/// The head of every request that is read from /dev/fuse (include/uapi/linux/fuse.h, struct fuse_in_header).
public struct FuseRequestHeader: Hashable, Sendable {
    /// Bytes of the header.
    public static let size = 40

    /// Bytes of the whole request.
    public var length: UInt32
    public var opcode: UInt32
    /// Names the request in its reply; bit 63 is set when the kernel sent it again.
    public var unique: UInt64
    public var node: UInt64

    /// Whether an earlier reader took the request and the kernel sent it again (FUSE_UNIQUE_RESEND).
    public var isResent: Bool {
        unique >> 63 == 1
    }

    /// Nil if there are fewer bytes than a header has.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size else { return nil }
        length = bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)
        opcode = bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        unique = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        node = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
    }

    public init?(_ bytes: [UInt8]) {
        guard let header = bytes.withUnsafeBytes({ FuseRequestHeader($0) }) else { return nil }
        self = header
    }
}

/// Request codes that code outside libfuse has to know (include/uapi/linux/fuse.h, enum fuse_opcode).
public enum FuseOpcode {
    public static let forget: UInt32 = 2
    public static let release: UInt32 = 18
    public static let flush: UInt32 = 25
    public static let initialise: UInt32 = 26
    public static let releaseDirectory: UInt32 = 29
    public static let interrupt: UInt32 = 36
    public static let batchForget: UInt32 = 42

    /// Whether the kernel waits for a reply to it at all.
    public static func expectsReply(_ opcode: UInt32) -> Bool {
        opcode != forget && opcode != batchForget && opcode != interrupt
    }
}

/// Messages that are written to /dev/fuse without libfuse (include/uapi/linux/fuse.h, struct fuse_out_header).
public enum FuseMessage {
    /// Bytes of the header.
    public static let headerSize = 16

    /// FUSE_UNIQUE_RESEND: set in the number of a request that the kernel sent again, and to be set in its reply.
    public static let resentBit: UInt64 = 1 << 63

    /// FUSE_NOTIFY_RESEND: the kernel queues every request again that a dead reader took. Harmless when there is none.
    public static let resend = header(length: UInt32(headerSize), error: 7, unique: 0)

    /// A reply without a body; `error` is an errno, or 0 for success.
    public static func reply(to unique: UInt64, error: Int32) -> [UInt8] {
        header(length: UInt32(headerSize), error: -error, unique: unique)
    }

    /// The number of the request that a FUSE_INTERRUPT is about (struct fuse_interrupt_in); nil if `request` is another one.
    public static func interrupted(by request: [UInt8]) -> UInt64? {
        guard FuseRequestHeader(request)?.opcode == FuseOpcode.interrupt,
            request.count >= FuseRequestHeader.size + MemoryLayout<UInt64>.size
        else { return nil }
        return request.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: FuseRequestHeader.size, as: UInt64.self) }
    }

    static func header(length: UInt32, error: Int32, unique: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(length))
        withUnsafeBytes(of: length) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: error) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: unique) { bytes.append(contentsOf: $0) }
        return bytes
    }
}
