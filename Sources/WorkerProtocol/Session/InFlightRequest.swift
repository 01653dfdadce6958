/// A kernel request that a thread of a worker was working on.
public struct InFlightRequest: Hashable, Sendable {
    public var unique: UInt64
    public var opcode: UInt32
    public var node: UInt64

    public init(unique: UInt64, opcode: UInt32, node: UInt64) {
        self.unique = unique
        self.opcode = opcode
        self.node = node
    }

    /// The same under the number that it had before the kernel sent it again.
    public var original: InFlightRequest {
        InFlightRequest(unique: unique & ~FuseMessage.resentBit, opcode: opcode, node: node)
    }

    /// Nothing in flight.
    public static let none = InFlightRequest(unique: 0, opcode: 0, node: 0)
}
