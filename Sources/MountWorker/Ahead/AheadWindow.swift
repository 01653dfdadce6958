import CacheProtocol
import GitObjects

/// Guesses which entries a job will look into next, so that they are here before it asks: who goes through a directory in order gets
/// its next entries ahead. Like the readahead of files (mm/readahead.c) it begins with nothing, grows while jobs go in order, and
/// ends soon when what came ahead is not used.
///
/// A state machine: no clock, no lock, no I/O. It keeps `streamLimit` directories in mind.
struct AheadWindow: Sendable {
    /// Directories that are gone through at the same time: threads, and the parents of where a walk is.
    static let streamLimit = 16
    /// Entries that may be left out, like files that are no sources, without the order being lost.
    static let nearby = 4
    private static let first = 4

    private struct Stream {
        var directory: ObjectID
        /// The entry that was looked into last.
        var last: Int
        /// The first entry that was not asked for ahead; nil behind the last.
        var next: Int?
        /// From which entry on to ask for more.
        var marker: Int
        var isAsking = false
        var brought = 0
        var used = 0
    }

    private let wanted: AheadRange.Wanted
    /// The most recently used last.
    private var streams: [Stream] = []
    /// Entries to ask for at once.
    private(set) var width = 0

    init(_ wanted: AheadRange.Wanted) {
        self.wanted = wanted
    }

    /// A job looks into entry `index` of `directory` for the first time; again is no harm.
    ///
    /// - Parameters:
    ///   - cameAhead: it is here because it was asked for ahead.
    ///   - distance: how many entries of the wanted kind `index` is beyond another one; nil if it is not beyond, or far.
    /// - Returns: what to ask for now.
    mutating func note(
        _ index: Int, of directory: ObjectID, cameAhead: Bool, distance: (_ from: Int) -> Int?
    ) -> AheadRange? {
        var stream: Stream
        if let position = streams.lastIndex(where: { $0.directory == directory }) {
            guard streams[position].last != index else { return nil }
            stream = streams.remove(at: position)
            if let steps = distance(stream.last), steps <= Self.nearby {
                width = min(AheadRange.longest, max(Self.first, width * 2))
            } else {
                width /= 2
            }
            stream.last = index
        } else {
            if streams.count == Self.streamLimit { judge(streams.removeFirst()) }
            stream = Stream(directory: directory, last: index, next: index + 1, marker: index)
        }
        if cameAhead { stream.used += 1 }
        defer { streams.append(stream) }
        guard width > 0, !stream.isAsking, index >= stream.marker, let next = stream.next else { return nil }
        stream.isAsking = true
        return AheadRange(directory: directory, wanted: wanted, first: max(next, index + 1), count: width)
    }

    /// What was asked for has come: the entries of it that are kept, in order, and where it ended; `next` is nil at the directory's end.
    mutating func arrived(_ indices: [Int], of directory: ObjectID, next: Int?) {
        guard let position = streams.lastIndex(where: { $0.directory == directory }) else { return }
        streams[position].isAsking = false
        streams[position].next = next
        streams[position].brought += indices.count
        // While the second half is used the next ones can come.
        streams[position].marker = indices.isEmpty ? streams[position].last + 1 : indices[indices.count / 2]
    }

    /// Nothing was at hand. It may be soon: the cache owner fetches the neighbours of what is missed.
    mutating func nothingCame(of directory: ObjectID) {
        guard let position = streams.lastIndex(where: { $0.directory == directory }) else { return }
        streams[position].isAsking = false
        streams[position].marker = streams[position].last + Self.nearby
    }

    /// Answers that were on their way are lost with the socket.
    mutating func forgetAsked() {
        for position in streams.indices { streams[position].isAsking = false }
    }

    /// A directory that is done with: most of what came has to have been used.
    private mutating func judge(_ stream: Stream) {
        if stream.used * 2 < stream.brought { width /= 4 }
    }
}
