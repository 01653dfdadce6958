import CacheProtocol

/// What an operation leads to.
enum Step: Sendable {
    case reply(Answer)
    case needs(Dependency)
}

/// A reply to the kernel, not yet in the kernel's form. Bytes are copied when it is sent, outside the lock.
enum Answer: Sendable {
    /// An entry; nil is an absence that the kernel may remember.
    case entry(Attributes?)
    /// An absence that the kernel has to ask for again.
    case absentNow
    case attributes(Attributes)
    case link([UInt8])
    case data(BlobContents, offset: UInt64, count: Int)
    case listing(Listing)
    case statistics(files: UInt64)
    case failure(Failure)
}

/// A part of a directory to be written out.
struct Listing: Sendable {
    var node: UInt64
    var parent: UInt64
    /// Node of the first entry.
    var base: UInt64
    /// Nil for a directory without entries of its own.
    var entries: PackedDirectory?
    /// Position of the first entry to write: 0 is ".", 1 is "..", 2 + i is entry i. The kernel is given the position of the next.
    var offset: UInt64
    /// Bytes the kernel has room for.
    var count: Int
    var withAttributes: Bool

    /// Entries with "." and "..".
    var total: UInt64 {
        UInt64(entries?.count ?? 0) + 2
    }
}
