import CacheProtocol
import GitHashing
import GitObjects

/// One tree as it arrives: hashed and taken apart piece by piece. Nothing of it may be used before `finish`.
final class TreeAssembler {
    private let id: ObjectID
    private let length: UInt64
    private let share: MemoryShare
    private var hasher: ObjectHasher?
    /// The beginning of an entry whose rest has not arrived.
    private var pending: [UInt8] = []
    private var items: [DirectoryPacker.Item] = []
    private var sized = 0
    private var malformed: GitObjectError?

    /// The longest payload taken, in bytes; room for millions of entries.
    static let lengthLimit: UInt64 = 128 << 20

    /// - Parameter length: The payload's, in bytes.
    init(_ id: ObjectID, length: UInt64, budget: MemoryBudget) {
        self.id = id
        self.length = length
        share = MemoryShare(budget)
        hasher = ObjectHasher(kind: id.kind, type: .tree, size: length)
    }

    func receive(payload bytes: UnsafeRawBufferPointer) -> CacheError? {
        hasher?.update(bytes)
        // Only the hash matters now: are these the bytes asked for, the tree itself is bad, else the origin's answer is.
        guard malformed == nil else { return nil }
        // An entry as kept takes about three times its bytes.
        if let error = share.grow(bytes.count * 3) { return error }
        do throws(GitObjectError) {
            if pending.isEmpty {
                let used = try take(bytes)
                pending = Array(bytes[used...])
            } else {
                pending.append(contentsOf: bytes)
                let piece = pending
                let used = try piece.span.bytes.withUnsafeBytes { (piece) throws(GitObjectError) in try take(piece) }
                pending = Array(piece[used...])
            }
        } catch {
            malformed = error
            items = []
        }
        return nil
    }

    private func take(_ piece: UnsafeRawBufferPointer) throws(GitObjectError) -> Int {
        try TreeParser.forEachWhole(in: piece, kind: id.kind) { (mode, id, name) throws(GitObjectError) in
            guard items.count < TreeParser.defaultEntryLimit else { throw GitObjectError(.tooManyEntries, at: 0) }
            let entry = PackedEntry(mode: mode, flags: mode.hasBlob ? .sizeUnknown : [], id: id, size: 0)
            items.append(DirectoryPacker.Item(name: Array(name), entry: entry))
        }
    }

    /// Sizes of the next entries, in order.
    func receive(sizes: [UInt64]) -> CacheError? {
        if malformed != nil { return nil }
        guard sized + sizes.count <= items.count else { return wrongCount(sized + sizes.count) }
        for (index, size) in zip(sized..., sizes) where size != ObjectFrame.noSize && items[index].entry.mode.hasBlob {
            items[index].entry.size = size
            items[index].entry.flags = []
        }
        sized += sizes.count
        return nil
    }

    /// The packed directory, once all has arrived; `known` gives sizes that the frame has not.
    /// - Throws: `corrupt` if it is not the tree asked for, `refused` if it is but must not be served.
    func finish(known: (ObjectID) -> UInt64?) throws(CacheError) -> [UInt8] {
        guard let hasher = hasher.take() else { throw CacheError(.internalFailure, "tree \(id) was finished twice") }
        let found = hasher.finish()
        guard found == id else { throw CacheError(.corrupt, "the origin sent a tree for \(id) whose id is \(found)") }
        if let malformed { throw CacheError(.refused, "tree \(id): \(malformed)") }
        guard pending.isEmpty else {
            throw CacheError(.refused, "tree \(id) of \(length) bytes ends within an entry")
        }
        guard sized == items.count else { throw wrongCount(sized) }
        for index in items.indices where items[index].entry.flags.contains(.sizeUnknown) {
            guard let size = known(items[index].entry.id) else { continue }
            items[index].entry.size = size
            items[index].entry.flags = []
        }
        return try DirectoryPacker.packed(items, of: "tree \(id)")
    }

    private func wrongCount(_ count: Int) -> CacheError {
        CacheError(.corrupt, "the origin sent \(count) sizes for \(items.count) entries of tree \(id)")
    }
}
