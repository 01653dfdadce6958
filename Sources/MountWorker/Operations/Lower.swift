import CacheProtocol
import GitObjects
import LinuxSystem
import WorkerProtocol

/// The filesystem: answers operations from what is known, or says what is missing. No input, output or clock.
struct Lower: ServedTree {
    /// Bounds of what is kept; all of it can be asked for again.
    struct Limits: Sendable {
        /// Bytes of packed directories.
        var directories = 2 << 20
        /// Open object files.
        var files = 128
        /// Bytes of small blobs: readahead asks for a file in pieces.
        var inlineBytes = 128 * 1024
        /// Entries whose mode or size was asked for singly.
        var details = 4096
    }

    /// The node that the readiness probe opens. No block reaches it.
    static let probeNode: UInt64 = 0x7FFF_FFFF_FFFF_FFFF
    /// PATH_MAX with its NUL: a longer target cannot be read by anything.
    static let longestLink = 4095

    /// Bytes that a kept directory or blob takes besides its contents.
    private static let overhead = 256

    /// Entries between two of one kind, above which they are no neighbours.
    private static let searchedForNeighbours = 64

    private enum Stop: Error {
        case needs(Dependency)
        case failed(Failure)
    }

    private struct DetailKey: Hashable {
        var directory: ObjectID
        var index: Int
    }

    private let root: ObjectID
    private let probeName: [UInt8]
    private(set) var nodes: NodeTable
    private var directories: BoundedCache<ObjectID, PackedDirectory>
    private var files: BoundedCache<ObjectID, BlobContents>
    private var inline: BoundedCache<ObjectID, BlobContents>
    private var details: BoundedCache<DetailKey, PackedEntry>
    private var ahead = Ahead()

    init(_ parameters: SessionParameters, nodes: NodeTable, limits: Limits = Limits()) {
        root = parameters.root
        probeName = Array(parameters.probeName.utf8)
        self.nodes = nodes
        // An operation needs two directories at once, and other threads bring theirs in between.
        directories = BoundedCache(limit: limits.directories, minimumCount: 8)
        files = BoundedCache(limit: limits.files)
        inline = BoundedCache(limit: limits.inlineBytes, minimumCount: 4)
        details = BoundedCache(limit: limits.details)
    }

    /// Answers `operation`, or names the next thing it needs.
    mutating func step(_ operation: Operation, supplied: Supplied?) -> Step {
        do throws(Stop) {
            return .reply(try answer(operation))
        } catch {
            switch error {
            case .needs(let dependency): return .needs(dependency)
            case .failed(let failure): return .reply(.failure(failure))
            }
        }
    }

    /// Keeps what came for `dependency`. Nil if it fits, else why not.
    mutating func supply(_ dependency: Dependency, _ supply: Supply) -> Failure? {
        switch (dependency, supply) {
        case (.directory(let id), .directory(let directory)):
            directories.insert(directory, for: id, cost: directory.byteCount + Self.overhead)
        case (.stat(let directory, let index), .stat(let mode, let size)):
            guard let mode = FileMode(normalising: mode) else {
                return Failure(.ioError, "mode \(mode) of entry \(index) of \(directory)", .damaged)
            }
            let entry = PackedEntry(mode: mode, id: directory, size: size)
            details.insert(entry, for: DetailKey(directory: directory, index: index))
        case (.blob(let id, let size), .blob(let contents)):
            guard contents.size == size else {
                return Failure(
                    .ioError, "blob \(id) has \(contents.size) bytes where its entry says \(size)", .damaged)
            }
            switch contents {
            case .bytes(let bytes): inline.insert(contents, for: id, cost: bytes.count + Self.overhead)
            case .file: files.insert(contents, for: id)
            }
        default:
            return Failure(.ioError, "the cache owner answered another question", .protocolError)
        }
        return nil
    }

    mutating func answer(_ operation: Operation, failing failure: Failure) -> Answer {
        .failure(failure)
    }

    mutating func takeAhead() -> AheadRange? {
        ahead.take()
    }

    mutating func takeAheadCounts() -> AheadCounts {
        ahead.takeCounts()
    }

    mutating func forgetAhead() {
        ahead.forgetAsked()
    }

    /// Takes what fits to the entries as they are known; who needs the rest asks for it, and is told what is wrong.
    mutating func supply(ahead supply: AheadSupply) {
        guard !supply.items.isEmpty, let directory = directories.value(for: supply.directory) else {
            return ahead.nothingCame(of: supply.directory, supply.wanted)
        }
        var kept: [(index: Int, id: ObjectID)] = []
        for (index, content) in supply.items where index < directory.count {
            let entry = directory[index]
            switch content {
            case .blob(let contents):
                guard entry.isComplete, entry.size == contents.size, !isKnown(entry.id) else { continue }
                files.insert(contents, for: entry.id)
            case .directory(let packed):
                guard entry.mode == .directory, directories.value(for: entry.id) == nil else { continue }
                directories.insert(packed, for: entry.id, cost: packed.byteCount + Self.overhead)
            }
            kept.append((index, entry.id))
        }
        ahead.arrived(kept, of: supply.directory, supply.wanted, next: supply.next)
    }

    private mutating func isKnown(_ blob: ObjectID) -> Bool {
        inline.value(for: blob) != nil || files.value(for: blob) != nil
    }

    /// A job looks into an entry; what it will look into next may be asked for.
    private mutating func noteUse(of entry: PackedEntry, _ place: NodeTable.Place, _ wanted: AheadRange.Wanted) {
        guard let directory = directories.value(for: place.block.directory) else { return }
        ahead.note(entry.id, place.index, of: place.block.directory, wanted) { last in
            guard last < place.index, place.index - last <= Self.searchedForNeighbours else { return nil }
            return (last + 1...place.index).count { directory[$0].mode.isWanted(wanted) }
        }
    }

    var directoryCount: Int {
        nodes.count
    }

    // MARK: Operations

    private mutating func answer(_ operation: Operation) throws(Stop) -> Answer {
        let node = operation.node
        switch operation.kind {
        case .lookup(let name):
            return try lookup(name, in: node)
        case .attributes:
            return .attributes(try attributes(of: node))
        case .readLink:
            return .link(try target(of: node))
        case .read(let offset, let count):
            return try read(node, offset, count)
        case .list(let offset, let count, let withAttributes):
            let contents = try contents(ofDirectory: node)
            return .listing(
                Listing(
                    node: node, parent: nodes.parent(of: node) ?? node, base: contents?.block.base ?? 0,
                    entries: contents?.entries, offset: offset, count: count, withAttributes: withAttributes))
        case .statistics:
            return .statistics(files: nodes.lastNode)
        }
    }

    private mutating func lookup(_ name: [UInt8], in node: UInt64) throws(Stop) -> Answer {
        // overlayfs decodes a file handle by looking up "." in the node, whatever it is, and ".." for the directory above.
        if name == [0x2E] { return .entry(try attributes(of: node)) }
        if name == [0x2E, 0x2E] {
            guard let parent = nodes.parent(of: node) else { throw stale(node) }
            return .entry(try attributes(of: parent))
        }
        if node == DirectoryBlock.rootNode, name == probeName { return .entry(Self.probe) }
        if name.count > EntryName.maximumLength { throw .failed(Failure(.nameTooLong, "name too long")) }
        guard let (block, entries) = try contents(ofDirectory: node), let index = entries.index(of: name) else {
            return .entry(nil)
        }
        return .entry(
            Attributes(
                node: block.base + UInt64(index), try complete(entries[index], of: block.directory, at: index)))
    }

    private mutating func attributes(of node: UInt64) throws(Stop) -> Attributes {
        node == Self.probeNode ? Self.probe : Attributes(node: node, try completeEntry(of: node))
    }

    private mutating func target(of node: UInt64) throws(Stop) -> [UInt8] {
        let entry = try completeEntry(of: node)
        guard entry.mode == .symlink else { throw .failed(Failure(.invalidArgument, "node \(node) is no link")) }
        guard entry.size > 0, entry.size <= Self.longestLink else {
            throw .failed(Failure(.ioError, "link \(entry.id) has \(entry.size) bytes", .damaged))
        }
        guard case .bytes(let bytes) = try blob(entry), !bytes.contains(0) else {
            throw .failed(Failure(.ioError, "link \(entry.id) holds a NUL", .damaged))
        }
        return bytes
    }

    private mutating func read(_ node: UInt64, _ offset: UInt64, _ count: Int) throws(Stop) -> Answer {
        if node == Self.probeNode { return .data(.bytes([]), offset: 0, count: 0) }
        let (listed, place) = try entry(of: node)
        let entry = try complete(listed, of: place.block.directory, at: place.index)
        switch entry.mode {
        case .regular, .executable: break
        case .directory, .submodule: throw .failed(Failure(.isADirectory, "node \(node) is a directory"))
        case .symlink: throw .failed(Failure(.invalidArgument, "node \(node) is a link"))
        }
        guard offset < entry.size, count > 0 else { return .data(.bytes([]), offset: 0, count: 0) }
        let count = Int(min(UInt64(count), entry.size - offset))
        if offset == 0 { noteUse(of: entry, place, .contents) }
        return .data(try blob(entry), offset: offset, count: count)
    }

    // MARK: What is known

    private static let probe = Attributes(node: probeNode, mode: 0o100444, size: 0, isCacheable: false)

    private func stale(_ node: UInt64) -> Stop {
        .failed(Failure(.stale, "no node \(node)"))
    }

    private mutating func packed(_ id: ObjectID) throws(Stop) -> PackedDirectory {
        guard let directory = directories.value(for: id) else { throw .needs(.directory(id)) }
        return directory
    }

    private mutating func blob(_ entry: PackedEntry) throws(Stop) -> BlobContents {
        if let contents = inline.value(for: entry.id) ?? files.value(for: entry.id) { return contents }
        throw .needs(.blob(entry.id, size: entry.size))
    }

    /// The entry of a node as its directory has it; mode and size may be unknown.
    private mutating func entry(of node: UInt64) throws(Stop) -> (entry: PackedEntry, place: NodeTable.Place) {
        guard let place = nodes.place(of: node) else { throw stale(node) }
        if place.blockIndex == 0 {
            let flags: PackedEntry.Flags = root.kind == .changed ? .changed : []
            return (PackedEntry(mode: .directory, flags: flags, id: root, size: 0), place)
        }
        let directory = try packed(place.block.directory)
        try match(directory, place.block)
        return (directory[place.index], place)
    }

    private mutating func completeEntry(of node: UInt64) throws(Stop) -> PackedEntry {
        let (entry, place) = try entry(of: node)
        return try complete(entry, of: place.block.directory, at: place.index)
    }

    private mutating func complete(
        _ entry: PackedEntry, of directory: ObjectID, at index: Int
    ) throws(Stop) -> PackedEntry {
        if entry.isComplete || !entry.mode.hasBlob { return entry }
        guard let detail = details.value(for: DetailKey(directory: directory, index: index)) else {
            throw .needs(.stat(directory: directory, index: index))
        }
        // The listing has fixed the kind of the entry; only the executable bit may come later.
        let isFile = entry.mode == .regular || entry.mode == .executable
        let mode = isFile && (detail.mode == .regular || detail.mode == .executable) ? detail.mode : entry.mode
        return PackedEntry(mode: mode, flags: entry.flags.intersection(.changed), id: entry.id, size: detail.size)
    }

    /// The entries of a directory and their node ids, which are given out now if it is listed for the first time. Nil for a submodule.
    private mutating func contents(
        ofDirectory node: UInt64
    ) throws(Stop) -> (block: DirectoryBlock, entries: PackedDirectory)? {
        if let block = nodes.block(ofDirectory: node) {
            let entries = try packed(block.directory)
            try match(entries, block)
            return (block, entries)
        }
        let (entry, place) = try entry(of: node)
        if entry.mode == .submodule { return nil }
        guard entry.mode == .directory else {
            throw .failed(Failure(.notADirectory, "node \(node) is no directory"))
        }
        if place.blockIndex > 0 { noteUse(of: entry, place, .directories) }
        let entries = try packed(entry.id)
        do throws(NodeTable.Refusal) {
            return (try nodes.add(directory: node, id: entry.id, count: entries.count), entries)
        } catch {
            throw .failed(Failure(error, node))
        }
    }

    private func match(_ directory: PackedDirectory, _ block: DirectoryBlock) throws(Stop) {
        guard directory.count == Int(block.count) else {
            throw .failed(
                Failure(
                    .ioError, "directory \(block.directory) has \(directory.count) entries and had \(block.count)",
                    .damaged))
        }
    }
}
