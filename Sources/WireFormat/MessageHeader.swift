public import LinuxSystem

/// The head of every message between our processes: 24 bytes, little endian.
///
///     offset  size  field
///          0     4  length    bytes of the whole message, header included; must equal the datagram's
///          4     2  operation
///          6     2  flags     1 = reply, 2 = the reply is an error
///          8     8  id        chosen by the asker; the reply carries the same
///         16     8  deadline  nanoseconds of CLOCK_MONOTONIC; all ones = none
public struct MessageHeader: Hashable, Sendable {
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let reply = Flags(rawValue: 1)
        public static let error = Flags(rawValue: 2)
    }

    public static let size = 24

    public var operation: UInt16
    public var flags: Flags
    public var id: UInt64
    public var deadline: Deadline

    public init(operation: UInt16, flags: Flags = [], id: UInt64, deadline: Deadline = .never) {
        self.operation = operation
        self.flags = flags
        self.id = id
        self.deadline = deadline
    }

    /// The header of a reply to this message.
    public func reply(isError: Bool = false) -> MessageHeader {
        MessageHeader(operation: operation, flags: isError ? [.reply, .error] : .reply, id: id)
    }

    /// A whole message of this header and `payload`.
    public func message(_ payload: WireWriter = WireWriter()) -> [UInt8] {
        var message = WireWriter(capacity: Self.size + payload.bytes.count)
        message.put(UInt32(Self.size + payload.bytes.count))
        message.put(operation)
        message.put(flags.rawValue)
        message.put(id)
        message.put(deadline.nanoseconds)
        message.put(raw: payload.bytes)
        return message.bytes
    }

    /// Reads the header at the start of a received message; the reader is left at the payload.
    public init(from reader: inout WireReader) throws(WireError) {
        let total = reader.remaining
        guard try reader.uint32() == UInt32(total) else { throw WireError.lengthMismatch }
        operation = try reader.uint16()
        flags = Flags(rawValue: try reader.uint16())
        id = try reader.uint64()
        deadline = Deadline(nanoseconds: try reader.uint64())
    }
}
