import WireFormat

/// A worker's counters.
public struct WorkerStatus: Hashable, Sendable {
    /// Whether it has a mount; a spare has none.
    public var serving = false
    /// Turns of the reader loops since the start: it grows while the worker lives, however long single requests take.
    public var readerTurns: UInt64 = 0
    /// Requests answered.
    public var served: UInt64 = 0
    /// Requests that wait for the cache owner.
    public var waiting: UInt32 = 0
    /// Age of the oldest of them in nanoseconds.
    public var oldestWait: UInt64 = 0
    /// Directories that have node ids.
    public var directories: UInt64 = 0
    /// Requests answered with an error other than "no such entry".
    public var failures: UInt64 = 0

    public init() {}

    func encode(into writer: inout WireWriter) {
        writer.put(UInt8(serving ? 1 : 0))
        writer.put(readerTurns)
        writer.put(served)
        writer.put(waiting)
        writer.put(oldestWait)
        writer.put(directories)
        writer.put(failures)
    }

    init(from reader: inout WireReader) throws(WireError) {
        serving = try reader.uint8() == 1
        readerTurns = try reader.uint64()
        served = try reader.uint64()
        waiting = try reader.uint32()
        oldestWait = try reader.uint64()
        directories = try reader.uint64()
        failures = try reader.uint64()
    }
}
