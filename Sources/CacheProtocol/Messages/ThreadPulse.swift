import WireFormat

/// What one thread of the cache owner is at. A turn is what it does between two waits for something to do.
public struct ThreadPulse: Hashable, Sendable {
    /// Thread id, as in /proc/PID/task.
    public var thread: Int32
    /// Turns begun since the start.
    public var turns: UInt64
    /// Nanoseconds that the present turn has taken; 0 between turns.
    public var busy: UInt64

    public init(thread: Int32, turns: UInt64, busy: UInt64) {
        self.thread = thread
        self.turns = turns
        self.busy = busy
    }

    func encode(into writer: inout WireWriter) {
        writer.put(thread)
        writer.put(turns)
        writer.put(busy)
    }

    init(from reader: inout WireReader) throws(WireError) {
        thread = Int32(bitPattern: try reader.uint32())
        turns = try reader.uint64()
        busy = try reader.uint64()
    }
}
