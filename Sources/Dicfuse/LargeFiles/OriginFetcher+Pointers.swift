import CacheProtocol
import GitObjects

/// Where the origin has Git LFS, a directory shows the files that its pointers stand for: their sizes and the ids of their contents. That depends on
/// nothing but the blobs, so a directory stays what its id says. `.gitattributes` is not asked: a pointer is followed wherever it lies.
extension OriginFetcher {
    /// Whether any of the entries could be a pointer.
    nonisolated func mayHavePointers(_ packed: [UInt8]) -> Bool {
        guard origin.lfs != nil, let listing = try? PackedDirectory(packed) else { return false }
        return (0..<listing.count).contains { Self.mayBePointer(listing[$0]) }
    }

    private nonisolated static func mayBePointer(_ entry: PackedEntry) -> Bool {
        entry.mode.isFile && entry.id.kind != .lfs
            && (entry.flags.contains(.sizeUnknown) || LFSPointer.sizes.contains(entry.size))
    }

    /// The directory with what its pointers stand for. Where the origin does not tell sizes they are all asked for: there is no other way to know which
    /// blobs to look into.
    func followingPointers(_ packed: [UInt8]) async throws(CacheError) -> [UInt8] {
        guard mayHavePointers(packed), let listing = try? PackedDirectory(packed) else { return packed }
        var items = listing.items
        let candidates = items.indices.filter { Self.mayBePointer(items[$0].entry) }
        let followed = try await follow(
            candidates.map { index in
                let entry = items[index].entry
                return Candidate(id: entry.id, size: entry.flags.contains(.sizeUnknown) ? nil : entry.size)
            })
        for (index, found) in zip(candidates, followed) {
            items[index].entry.size = found.size
            items[index].entry.flags.remove(.sizeUnknown)
            guard let pointer = found.pointer else { continue }
            items[index].entry.id = pointer.id
            // Nobody fetches gigabytes for a bit.
            items[index].entry.flags.remove(.modeUnknown)
        }
        return try DirectoryPacker.packed(items, of: "a directory of origin \(name)")
    }

    /// The change with what the pointers among its files stand for.
    func followingPointers(_ changelist: Changelist) async throws(CacheError) -> Changelist {
        guard origin.lfs != nil else { return changelist }
        var changelist = changelist
        var candidates: [Candidate] = []
        var positions: [Int] = []
        for (index, file) in changelist.files.enumerated() {
            guard case .put(let put) = file.action, put.mode?.isFile ?? true,
                put.size.map(LFSPointer.sizes.contains) ?? true
            else { continue }
            candidates.append(Candidate(id: put.id, size: put.size))
            positions.append(index)
        }
        for (position, found) in zip(positions, try await follow(candidates)) {
            guard let pointer = found.pointer, case .put(var put) = changelist.files[position].action else { continue }
            put.id = pointer.id
            put.size = pointer.size
            if put.mode == nil, put.before == nil { put.mode = .regular }
            changelist.files[position].action = .put(put)
        }
        return changelist
    }

    // MARK: Looking into blobs

    private struct Candidate: Sendable {
        let id: ObjectID
        let size: UInt64?
    }

    /// What became of a candidate: what it is a pointer to, if it is one, and the size to be shown.
    private struct Followed: Sendable {
        var size: UInt64
        var pointer: LFSPointer?
    }

    /// All at the same time, so that they travel together.
    private func follow(_ candidates: [Candidate]) async throws(CacheError) -> [Followed] {
        let urgency = Self.urgency
        let asked = candidates.map { candidate in
            Task(executorPreference: thread) {
                await Self.$urgency.withValue(urgency) { () -> Result<Followed, CacheError> in
                    do throws(CacheError) {
                        return .success(try await self.follow(candidate))
                    } catch {
                        return .failure(error)
                    }
                }
            }
        }
        var followed: [Followed] = []
        for task in asked { followed.append(try await task.value.get()) }
        return followed
    }

    private func follow(_ candidate: Candidate) async throws(CacheError) -> Followed {
        var size = candidate.size
        if size == nil,
            case .information(let found, _) = try await store.value(of: .information(candidate.id, mode: false))
        {
            size = found
        }
        guard let size else { throw CacheError(.internalFailure, "blob \(candidate.id) has no size") }
        guard LFSPointer.sizes.contains(size) else { return Followed(size: size) }
        guard case .contents(let bytes) = try await store.value(of: .blob(candidate.id, size: size)) else {
            throw CacheError(.internalFailure, "a small blob came as a file")
        }
        guard let pointer = LFSPointer(bytes) else { return Followed(size: size) }
        counters.add(.lfsPointers)
        return Followed(size: pointer.size, pointer: pointer)
    }
}
