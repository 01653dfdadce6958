public import WireFormat

/// Why the cache owner could not answer. Absence, failure and lateness are different codes and stay different up to the job.
public struct CacheError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The numbers are part of the protocol and never change.
    public enum Code: UInt16, Sendable, CaseIterable {
        /// The origin says, or the verified tree shows, that it does not exist.
        case notFound = 1
        /// The path leads to something that is not a directory.
        case notADirectory = 2
        /// No commit, tag or branch has this name.
        case unknownRevision = 3
        /// No origin of this name is configured.
        case unknownOrigin = 4
        /// The origin cannot be reached or keeps failing.
        case unreachable = 5
        /// The deadline passed first.
        case timedOut = 6
        /// What arrived is not what was asked for: wrong hash, wrong length, malformed.
        case corrupt = 7
        /// A tree holds an entry that must not be served.
        case refused = 8
        /// The origin wants other credentials.
        case unauthorized = 9
        /// The cache's own disk or index failed.
        case storage = 10
        /// Too much is asked for at once.
        case overloaded = 11
        /// The asker went away or took the request back.
        case cancelled = 12
        /// The message does not follow the protocol.
        case invalidRequest = 13
        /// A defect of the cache owner.
        case internalFailure = 14
        /// Neither the disk nor the memory set aside for a full one has room.
        case noSpace = 15
        /// The origin has no changelist of this name.
        case unknownChangelist = 16
        /// A changelist does not fit the commit it is to be applied to.
        case changelistConflict = 17
        /// Where a changelist belongs cannot be told, or nothing of it is below the mount's path.
        case changelistMisplaced = 18
    }

    public let code: Code
    /// What, where and what to do: for logs and API answers.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String {
        "\(code): \(message)"
    }

    /// The payload of an error reply.
    public func encode() -> WireWriter {
        var writer = WireWriter()
        writer.put(code.rawValue)
        // A message is cut so that every error reply fits.
        writer.put(String(message.prefix(4096)))
        return writer
    }

    public init(from reader: inout WireReader) throws(WireError) {
        guard let code = Code(rawValue: try reader.uint16()) else { throw .invalid("error code") }
        self.init(code, try reader.string())
    }
}
