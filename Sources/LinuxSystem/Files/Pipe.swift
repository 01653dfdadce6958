import CAntares

/// A pipe (pipe2(2)), both ends close-on-exec and blocking.
public struct Pipe: ~Copyable, Sendable {
    public let read: OwnedFD
    public let write: OwnedFD

    /// - Parameter size: The buffer to ask for in bytes; the kernel's limit for the user may make it less. 0 keeps the default.
    public init(size: Int32 = 0) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        try check(ant_pipe(&ends, size), "pipe2")
        read = OwnedFD(taking: ends[0])
        write = OwnedFD(taking: ends[1])
    }

    /// Closes the writing end.
    public consuming func takeRead() -> OwnedFD {
        read
    }

    /// Closes the reading end.
    public consuming func takeWrite() -> OwnedFD {
        write
    }
}
