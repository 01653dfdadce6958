public import GitObjects
import WireFormat

/// A place in a tree, seen from one of its directories.
public struct TreePlace: Hashable, Sendable {
    public var directory: ObjectID
    /// Names with slashes between; empty for the directory itself.
    public var path: [UInt8]

    /// PATH_MAX of linux/limits.h: a longer path is at no place.
    public static let maximumPath = 4096
    /// Places that one message asks for. The reply, with the longest ids, stays below the longest message, too.
    public static let pageLimit = 1000
    static let pageBytes = 56 * 1024

    public init(directory: ObjectID, path: [UInt8]) {
        self.directory = directory
        self.path = path
    }

    /// The places of each message; in order, and none is left out. No path may be longer than `maximumPath`.
    public static func pages(_ places: [TreePlace]) -> [Range<Int>] {
        var pages: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for (index, place) in places.enumerated() {
            let size = encodedOverhead + place.path.count
            if index > start, index - start == pageLimit || bytes + size > pageBytes {
                pages.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += size
        }
        if start < places.count { pages.append(start..<places.count) }
        return pages
    }

    // An id with its kind, and the length of the path.
    private static let encodedOverhead = 33 + 4

    func encode(into writer: inout WireWriter) {
        writer.put(directory)
        writer.put(bytes: path)
    }

    init(from reader: inout WireReader) throws(WireError) {
        directory = try reader.objectID()
        path = try reader.lengthPrefixedBytes()
    }
}
