import Glibc

/// Reads the payload of a Git tree: entries of `<octal mode> SP <name> NUL <id bytes>` (gitformat-pack(5), `git cat-file tree`).
///
/// One pass, no recursion, memory proportional to the input. Names are taken as they are: whether a name may be shown in a
/// file system is `EntryName`'s question.
public enum TreeParser {
    /// Two orders of magnitude above the largest directories people keep; a listing of so many is some 200 MB.
    public static let defaultEntryLimit = 4_000_000

    /// All entries, in the order stored.
    /// - Throws: `GitObjectError` when the payload is malformed or has more than `limit` entries.
    public static func entries(
        of payload: [UInt8], kind: ObjectID.Kind = .sha1, limit: Int = defaultEntryLimit
    ) throws(GitObjectError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        // An entry has at least mode, space, one character, NUL and id; the estimate is for names of ten bytes.
        entries.reserveCapacity(min(payload.count / (kind.byteCount + 17), limit))
        try payload.span.bytes.withUnsafeBytes { (bytes) throws(GitObjectError) in
            try Self.forEach(in: bytes, kind: kind, limit: limit) { (mode, id, name) throws(GitObjectError) in
                entries.append(TreeEntry(mode: mode, id: id, name: Array(name)))
            }
        }
        return entries
    }

    /// Calls `body` for each entry in the order stored; the name's buffer is valid only during the call.
    /// - Throws: `GitObjectError` when the payload is malformed or has more than `limit` entries; what `body` throws.
    public static func forEach(
        in payload: UnsafeRawBufferPointer, kind: ObjectID.Kind = .sha1, limit: Int = defaultEntryLimit,
        _ body: (FileMode, ObjectID, UnsafeRawBufferPointer) throws(GitObjectError) -> Void
    ) throws(GitObjectError) {
        var offset = 0
        var count = 0
        while offset < payload.count {
            guard count < limit else { throw GitObjectError(.tooManyEntries, at: offset) }
            count += 1
            offset = try Self.entry(of: payload, at: offset, kind, body)
        }
    }

    /// The longest name that a piece may leave unfinished, in bytes. No file system takes one so long.
    public static let longestName = 4096

    /// Calls `body` for each entry that is complete in this piece of a payload; the piece begins where an entry does.
    /// - Returns: how many bytes they take; what follows is the beginning of an entry.
    /// - Throws: `GitObjectError` when the piece is malformed; what `body` throws.
    public static func forEachWhole(
        in piece: UnsafeRawBufferPointer, kind: ObjectID.Kind = .sha1,
        _ body: (FileMode, ObjectID, UnsafeRawBufferPointer) throws(GitObjectError) -> Void
    ) throws(GitObjectError) -> Int {
        var offset = 0
        while offset < piece.count {
            do throws(GitObjectError) {
                offset = try Self.entry(of: piece, at: offset, kind, body)
            } catch {
                let left = piece.count - offset
                switch error.reason {
                case .modeUnterminated where left < 8: return offset
                case .nameUnterminated where left < 8 + Self.longestName: return offset
                case .idTruncated: return offset
                default: throw error
                }
            }
        }
        return offset
    }

    /// One entry; the offset of the next one.
    private static func entry(
        of payload: UnsafeRawBufferPointer, at start: Int, _ kind: ObjectID.Kind,
        _ body: (FileMode, ObjectID, UnsafeRawBufferPointer) throws(GitObjectError) -> Void
    ) throws(GitObjectError) -> Int {
        // Eight bytes are the longest mode and its space: a missing space must not cost a walk over the whole payload.
        let head = payload[start..<min(start + 8, payload.count)]
        guard let space = head.firstIndex(of: 0x20) else { throw GitObjectError(.modeUnterminated, at: start) }
        guard let mode = FileMode(octal: payload[start..<space]) else { throw GitObjectError(.mode, at: start) }

        guard let base = payload.baseAddress,
            let found = memchr(base + space + 1, 0, payload.count - space - 1)
        else { throw GitObjectError(.nameUnterminated, at: space + 1) }
        let nul = UnsafeRawPointer(found) - base
        guard nul > space + 1 else { throw GitObjectError(.nameEmpty, at: space + 1) }

        let end = nul + 1 + kind.byteCount
        guard end <= payload.count,
            let id = ObjectID(kind: kind, bytes: UnsafeRawBufferPointer(rebasing: payload[(nul + 1)..<end]))
        else { throw GitObjectError(.idTruncated, at: nul + 1) }

        try body(mode, id, UnsafeRawBufferPointer(rebasing: payload[(space + 1)..<nul]))
        return end
    }
}
