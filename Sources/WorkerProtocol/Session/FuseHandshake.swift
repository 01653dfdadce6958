/// Why a kernel's FUSE_INIT cannot be answered.
public enum FuseHandshakeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes are no FUSE_INIT request.
    case malformed(String)
    /// Another major version of the protocol.
    case unsupportedVersion(major: UInt32, minor: UInt32)
    /// The kernel offers no FUSE_HAS_RESEND.
    case noResend(major: UInt32, minor: UInt32)

    public var description: String {
        switch self {
        case .malformed(let reason):
            "the first request of the FUSE connection is no FUSE_INIT: \(reason)"
        case .unsupportedVersion(let major, let minor):
            "the kernel speaks FUSE \(major).\(minor); 7 with a minor version of at least 40 (Linux 6.12) is needed"
        case .noResend(let major, let minor):
            "the kernel (FUSE \(major).\(minor)) cannot send requests again that a dead worker took (FUSE_HAS_RESEND): "
                + "a killed worker would hang its jobs. Linux 6.12 or newer is needed"
        }
    }
}

/// The FUSE_INIT exchange, which the supervisor holds itself: the reply depends on nothing but the request, so every worker of a mount
/// serves under the same settings.
///
/// Layouts and flags: include/uapi/linux/fuse.h, struct fuse_init_in and fuse_init_out of protocol 7.40.
public enum FuseHandshake {
    /// The capabilities that are answered, as far as the kernel offers them.
    public struct Capabilities: OptionSet, Hashable, Sendable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }
        public static let asyncRead = Capabilities(rawValue: 1 << 0)
        /// Lookups of "." and ".." are answered: overlayfs can decode the file handle of a node that the kernel has dropped, and
        /// so keeps st_ino of a copied-up file.
        public static let exportSupport = Capabilities(rawValue: 1 << 4)
        public static let readdirplus = Capabilities(rawValue: 1 << 13)
        public static let parallelDirectoryOperations = Capabilities(rawValue: 1 << 18)
        public static let maximumPages = Capabilities(rawValue: 1 << 22)
        public static let cacheSymlinks = Capabilities(rawValue: 1 << 23)
        public static let explicitInvalidation = Capabilities(rawValue: 1 << 25)
        /// The second word of flags is valid.
        public static let extendedFlags = Capabilities(rawValue: 1 << 30)
        public static let hasResend = Capabilities(rawValue: 1 << 39)

        public static let wanted: Capabilities = [
            .asyncRead, .exportSupport, .readdirplus, .parallelDirectoryOperations, .maximumPages, .cacheSymlinks,
            .explicitInvalidation, .extendedFlags, .hasResend,
        ]
    }

    /// Bytes of a write request. Nothing is written, so this only sets the size of the buffers that requests are read into.
    public static let maximumWrite: UInt32 = 16 * 1024
    /// Pages of one read.
    public static let maximumPages: UInt16 = 256
    /// Readahead requests in flight; above three quarters of it the kernel calls the mount congested.
    public static let maximumBackground: UInt16 = 64
    /// The longest read in bytes.
    public static let maximumRead = Int(maximumPages) * 4096

    private static let requestBodySize = 64
    private static let replyBodySize = 64
    private static let minor: UInt32 = 40

    /// The whole reply, header included, to a FUSE_INIT `request` as it was read from /dev/fuse. Throws when the request is none, or
    /// when the kernel cannot resend.
    public static func reply(to request: [UInt8]) throws(FuseHandshakeError) -> [UInt8] {
        let offer = try parse(request)
        let flags = offer.capabilities.intersection(.wanted).rawValue
        let length = UInt32(FuseMessage.headerSize + replyBodySize)
        var reply = FuseMessage.header(length: length, error: 0, unique: offer.unique)
        func put<Value: FixedWidthInteger>(_ value: Value) {
            withUnsafeBytes(of: value) { reply.append(contentsOf: $0) }
        }
        put(UInt32(7))
        put(min(offer.minor, minor))
        put(offer.maximumReadahead)
        put(UInt32(truncatingIfNeeded: flags))
        put(maximumBackground)
        put(maximumBackground / 4 * 3)
        put(maximumWrite)
        put(UInt32(1))  // time granularity in nanoseconds
        put(maximumPages)
        put(UInt16(0))  // map alignment, for DAX
        put(UInt32(truncatingIfNeeded: flags >> 32))
        put(UInt32(0))  // maximum stack depth, for passthrough
        put(UInt16(0))  // request timeout: the kernel's aborts the whole connection
        reply.append(contentsOf: [UInt8](repeating: 0, count: Int(length) - reply.count))
        return reply
    }

    private struct Offer {
        var unique: UInt64
        var minor: UInt32
        var maximumReadahead: UInt32
        var capabilities: Capabilities
    }

    private static func parse(_ request: [UInt8]) throws(FuseHandshakeError) -> Offer {
        guard let header = FuseRequestHeader(request) else { throw .malformed("\(request.count) bytes") }
        guard header.opcode == FuseOpcode.initialise else { throw .malformed("opcode \(header.opcode)") }
        // Before 7.36 the body was 16 bytes long.
        guard header.length == UInt32(request.count), request.count >= FuseRequestHeader.size + 16 else {
            throw .malformed("length \(header.length) in \(request.count) bytes")
        }
        func word(_ index: Int) -> UInt32 {
            let offset = FuseRequestHeader.size + index * 4
            guard offset + 4 <= request.count else { return 0 }
            return request.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
        }
        let (major, minor) = (word(0), word(1))
        guard major == 7 else { throw .unsupportedVersion(major: major, minor: minor) }
        var capabilities = Capabilities(rawValue: UInt64(word(3)))
        if capabilities.contains(.extendedFlags), request.count >= FuseRequestHeader.size + requestBodySize {
            capabilities.formUnion(Capabilities(rawValue: UInt64(word(4)) << 32))
        }
        guard capabilities.contains(.hasResend) else { throw .noResend(major: major, minor: minor) }
        return Offer(
            unique: header.unique, minor: minor, maximumReadahead: word(2), capabilities: capabilities)
    }
}
