import GitObjects
import LinuxSystem

/// Finds things by path below a root tree.
struct TreeWalk: Sendable {
    let store: ObjectStore

    /// The entry at `path`; nil if it is not there. The root is a directory without a name.
    func entry(at path: MonorepoPath, root: ObjectID) async throws(OriginError) -> TreeEntry? {
        var entry = TreeEntry(mode: .directory, id: root, name: [])
        for name in path.names {
            guard entry.mode == .directory, let payload = try await self.store.tree(entry.id) else { return nil }
            guard let next = try Self.find(name, in: payload, id: entry.id) else { return nil }
            entry = next
        }
        return entry
    }

    /// The entries of the directory at `path`; nil if there is none.
    func entries(at path: MonorepoPath, root: ObjectID) async throws(OriginError) -> [TreeEntry]? {
        guard let entry = try await self.entry(at: path, root: root), entry.mode == .directory,
            let payload = try await self.store.tree(entry.id)
        else { return nil }
        do {
            return try TreeParser.entries(of: payload)
        } catch {
            throw Self.damaged(entry.id, error)
        }
    }

    /// The commit that last changed `path`, beginning at `start`; nil if the path is not there.
    ///
    /// As `git log` simplifies history: a parent with the same entry explains it, so only that parent is followed.
    /// - Throws: `timedOut` when the walk takes longer than the deadline for Git.
    func lastChange(of path: MonorepoPath, from start: ObjectID) async throws(OriginError) -> (ObjectID, Commit)? {
        guard var commit = try await self.store.commit(start) else { return nil }
        guard !path.isRoot else { return (start, commit) }
        guard let entry = try await self.entry(at: path, root: commit.tree) else { return nil }
        let deadline = Deadline.after(self.store.limits.gitDeadline)
        var id = start
        search: while true {
            guard !deadline.hasPassed else {
                throw OriginError(.timedOut, "the history of a path is too long to be searched in time")
            }
            for parent in commit.parents {
                // A shallow clone ends here.
                guard let before = try await self.store.commit(parent) else { continue }
                let same = try await self.entry(at: path, root: before.tree)
                if let same, same.id == entry.id, same.mode == entry.mode {
                    id = parent
                    commit = before
                    continue search
                }
            }
            return (id, commit)
        }
    }

    private static func find(_ name: [UInt8], in payload: [UInt8], id: ObjectID) throws(OriginError) -> TreeEntry? {
        var found: TreeEntry?
        do {
            try payload.span.bytes.withUnsafeBytes { (bytes) throws(GitObjectError) in
                try TreeParser.forEach(in: bytes) { (mode, id, candidate) in
                    if found == nil, candidate.count == name.count, candidate.elementsEqual(name) {
                        found = TreeEntry(mode: mode, id: id, name: name)
                    }
                }
            }
        } catch {
            throw Self.damaged(id, error)
        }
        return found
    }

    private static func damaged(_ id: ObjectID, _ error: GitObjectError) -> OriginError {
        OriginError(.objectDamaged, "tree \(id) is not readable: \(error)")
    }
}
