import CacheProtocol
import GitObjects

/// Guesses what will be missed next: a build that reads one file of a directory reads its neighbours. Like the readahead of files
/// (mm/readahead.c), the window grows while the guesses are right, and where they are wrong hardly anything is guessed.
///
/// A state machine: no clock, no lock, no I/O. Memory is bounded by `directoryLimit` and `entryLimit`.
struct Readahead: Sendable {
    struct Entry: Hashable, Sendable {
        let id: ObjectID
        let size: UInt64
        let isDirectory: Bool
    }

    private struct Directory {
        var entries: [Entry]
        var window = 0
        var misses = 0
    }

    private struct Place {
        let directory: ObjectID
        let index: Int
    }

    static let directoryLimit = 1024
    /// Directories with more are not watched: nobody reads them in order.
    static let entryLimit = 1000
    static let largestWindow = 64
    /// Blobs with more are not guessed.
    static let sizeLimit: UInt64 = 64 << 10
    static let windowBytes: UInt64 = 512 << 10

    private var directories: [ObjectID: Directory] = [:]
    private var order: [ObjectID] = []
    private var oldest = 0
    private var places: [ObjectID: Place] = [:]
    private var guessed: Set<ObjectID> = []
    /// Guesses of late, and how many of them were used; both fade.
    private var made = 16.0
    private var right = 16.0

    /// A listing was given to somebody.
    mutating func listed(_ id: ObjectID, _ packed: [UInt8]) {
        guard directories[id] == nil, packed.count < Self.entryLimit * 128, let listing = try? PackedDirectory(packed),
            listing.count <= Self.entryLimit
        else { return }
        var entries: [Entry] = []
        entries.reserveCapacity(listing.count)
        for index in 0..<listing.count {
            let entry = listing[index]
            guard entry.mode == .directory || entry.mode.hasBlob, entry.isComplete else { continue }
            entries.append(Entry(id: entry.id, size: entry.size, isDirectory: entry.mode == .directory))
        }
        forgetOldest()
        for (index, entry) in entries.enumerated() { places[entry.id] = Place(directory: id, index: index) }
        directories[id] = Directory(entries: entries)
        order.append(id)
    }

    private mutating func forgetOldest() {
        guard directories.count >= Self.directoryLimit else { return }
        let id = order[oldest]
        oldest += 1
        for entry in directories.removeValue(forKey: id)?.entries ?? [] where places[entry.id]?.directory == id {
            places[entry.id] = nil
            guessed.remove(entry.id)
        }
        if oldest > Self.directoryLimit {
            order.removeFirst(oldest)
            oldest = 0
        }
    }

    /// Somebody asked for an object that is not here: what to fetch along with it, in this order. What is here already is for
    /// the caller to leave out; `guess` tells about the rest.
    mutating func missed(_ id: ObjectID) -> [Entry] {
        guard let place = places[id], var directory = directories[place.directory] else { return [] }
        directory.misses += 1
        directory.window = nextWindow(directory)
        directories[place.directory] = directory
        guard directory.window > 0 else { return [] }
        let isDirectory = directory.entries[place.index].isDirectory
        var bytes: UInt64 = 0
        var found: [Entry] = []
        for entry in directory.entries[(place.index + 1)...]
        where entry.isDirectory == isDirectory && entry.size <= Self.sizeLimit && entry.id != id {
            bytes += entry.size
            guard found.count < directory.window, bytes <= Self.windowBytes else { break }
            found.append(entry)
        }
        return found
    }

    private func nextWindow(_ directory: Directory) -> Int {
        let share = right / made
        switch share {
        case 0.5...: return directory.misses == 1 ? 16 : min(Self.largestWindow, max(16, directory.window * 2))
        case 0.25..<0.5: return directory.misses == 1 ? 4 : min(Self.largestWindow, max(8, directory.window * 2))
        // Only where somebody does read through a directory.
        default: return directory.misses < 4 ? 0 : 8
        }
    }

    /// These are fetched although nobody asked.
    mutating func guess(_ ids: some Collection<ObjectID>) {
        guessed.formUnion(ids)
        made += Double(ids.count)
        guard made > 1024 else { return }
        made /= 2
        right /= 2
    }

    /// Somebody asked for it. True if it was guessed.
    mutating func used(_ id: ObjectID) -> Bool {
        guard guessed.remove(id) != nil else { return false }
        right = min(right + 1, made)
        return true
    }
}
