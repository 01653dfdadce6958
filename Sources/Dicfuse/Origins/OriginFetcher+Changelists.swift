import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// Pins of a commit with a changelist on top: the commit's tree with the changelist's files is a tree like any other, made here and kept in
/// the index.
extension OriginFetcher {
    func pinChangelist(_ key: FlightKey, _ question: ChangelistQuestion) async throws(CacheError) {
        let dialect = try await currentDialect()
        let changelist = try await followingPointers(try await dialect.changelist(question.name, self))
        var placement = ChangePlacement(
            root: PathKey.components(question.root ?? []), mount: PathKey.components(question.path))
        let commit: ResolvedCommit
        var shownRoot: [[UInt8]]
        switch question.base {
        case .revision:
            commit = try await resolve(question.revision)
            if question.root == nil {
                placement.root = try await root(of: changelist, question, in: commit, placement.mount)
            }
            shownRoot = placement.root
        case .own:
            guard case .commit(let base) = changelist.base else {
                throw CacheError(
                    .changelistMisplaced,
                    "origin \(name) tells no base of changelist \(question.name): mount it on a revision")
            }
            if question.root == nil {
                placement.root = try await root(of: changelist, question, in: try await resolve(""), placement.mount)
            }
            shownRoot = placement.root
            // A changelist's commits have nothing above its root.
            guard let inner = placement.fromRoot else {
                throw CacheError(
                    .changelistMisplaced,
                    "the base of changelist \(question.name) has only what is below \(ChangePlacement.text(shownRoot)): "
                        + "mount that, or mount the changelist on a revision")
            }
            placement = inner
            commit = try await resolve(base.hex)
        }
        let snapshot = try await apply(changelist, question, placement, to: commit, shownRoot: shownRoot)
        store.land(key, .pinned(snapshot), storing: nil)
        store.sealer?.request(SealedImages.Key(root: snapshot.root, time: snapshot.commitTime))
    }

    // MARK: Applying

    private func apply(
        _ changelist: Changelist, _ question: ChangelistQuestion, _ placement: ChangePlacement,
        to commit: ResolvedCommit, shownRoot: [[UInt8]]
    ) async throws(CacheError) -> PinnedSnapshot {
        let edits = try placement.edits(changelist, question.name)
        let tree = try await edit(edits, question, placement, commit)
        if let tip = changelist.tip, changelist.base == .commit(commit.commit), placement.root.isEmpty {
            try confirm(tree, tip, question)
        }
        let (content, directories) = try await directory(at: placement.mount, of: tree, commit, question)
        var change = PinnedChange(
            name: question.name, root: Array(ChangePlacement.text(shownRoot).utf8), time: commit.record.time + 1,
            files: UInt32(clamping: edits.count), tree: content.kind == .sha1 ? content : directories[content]?.tree)
        var root = content
        if content.kind == .changed {
            change.time = time(of: changelist, content, commit)
            root = TreeEditor.view(of: content, time: change.time)
            try await keep(content, as: root, directories, change)
        } else {
            _ = try await store.value(of: .directory(root))
        }
        var assurance: PinnedSnapshot.Assurance = []
        if root.kind == .sha1 { assurance.insert(.treesVerified) }
        if root.kind == .path, isUnpinnable(root) { assurance.insert(.unpinnable) }
        return PinnedSnapshot(
            origin: name, commit: commit.commit, commitTime: commit.record.time, root: root, assurance: assurance,
            isSealed: store.images.isOffered(SealedImages.Key(root: root, time: commit.record.time)), change: change)
    }

    private func edit(
        _ edits: TreeEdits, _ question: ChangelistQuestion, _ placement: ChangePlacement, _ commit: ResolvedCommit
    ) async throws(CacheError) -> EditedTree {
        let store = store
        var editor = TreeEditor(edits, root: commit.record.root) { id in
            store.information(of: id).map { ($0.size, $0.executable) }
        }
        while true {
            let missing = editor.missing()
            guard !missing.isEmpty else { break }
            for (id, listing) in try await listings(of: missing) { editor.supply(id, listing) }
        }
        do throws(EditConflict) {
            return try editor.apply()
        } catch {
            throw CacheError(
                .changelistConflict,
                "changelist \(question.name) does not fit commit \(commit.commit): "
                    + "\(ChangePlacement.text(error.path)) \(error.reason)")
        }
    }

    /// Directories by id. Asked for together, so that they travel together.
    func listings(
        of ids: [ObjectID], deadline: Deadline = .never
    ) async throws(CacheError) -> [ObjectID: PackedDirectory] {
        let urgency = Self.urgency
        let asked = ids.map { id in
            Task(executorPreference: thread) { [store] in
                await Self.$urgency.withValue(urgency) { () -> Result<FlightValue, CacheError> in
                    do throws(CacheError) {
                        return .success(try await store.value(of: .directory(id), deadline: deadline, isolation: self))
                    } catch {
                        return .failure(error)
                    }
                }
            }
        }
        var listings: [ObjectID: PackedDirectory] = [:]
        for (id, task) in zip(ids, asked) {
            guard case .directory(let packed) = try await task.value.get(), let listing = try? PackedDirectory(packed)
            else { throw CacheError(.internalFailure, "directory \(id) cannot be read") }
            listings[id] = listing
        }
        return listings
    }

    /// A change applied to the commit it was made from gives the commit it leads to, or the origin's list is wrong.
    private func confirm(
        _ tree: EditedTree, _ tip: Changelist.Tip, _ question: ChangelistQuestion
    ) throws(CacheError) {
        // What the mount does not show was left out.
        guard question.path.isEmpty else { return }
        let found = tree.root.kind == .sha1 ? tree.root : tree.directories[tree.root]?.tree
        guard let found, found != tip.tree else { return }
        throw CacheError(
            .corrupt,
            "changelist \(question.name) of origin \(name) leads to tree \(found) and not to \(tip.tree), as the origin says"
        )
    }

    /// The mount's root in the new tree.
    private func directory(
        at path: [[UInt8]], of tree: EditedTree, _ commit: ResolvedCommit, _ question: ChangelistQuestion
    ) async throws(CacheError) -> (ObjectID, [ObjectID: EditedTree.Directory]) {
        var directory = tree.root
        for (depth, component) in path.enumerated() {
            let packed: [UInt8]
            if let made = tree.directories[directory] {
                packed = made.packed
            } else {
                guard case .directory(let fetched) = try await store.value(of: .directory(directory)) else {
                    throw CacheError(.internalFailure, "directory \(directory) cannot be read")
                }
                packed = fetched
            }
            let shown = ChangePlacement.text(Array(path.prefix(depth + 1)))
            let place = "commit \(commit.commit) with changelist \(question.name) of origin \(name)"
            guard let listing = try? PackedDirectory(packed), let index = listing.index(of: component) else {
                throw CacheError(.notFound, "\(shown) is not in \(place)")
            }
            guard listing[index].mode == .directory else {
                throw CacheError(.notADirectory, "\(shown) in \(place) is not a directory")
            }
            directory = listing[index].id
        }
        return (directory, tree.directories)
    }

    /// When the change was made: as the origin says, else when it was first seen here; in any case after the commit, or a build would take what
    /// it made of the commit for newer.
    private func time(of changelist: Changelist, _ content: ObjectID, _ commit: ResolvedCommit) -> Int64 {
        let known = changelist.tip?.time ?? store.snapshot(content)?.time ?? Int64(Glibc.time(nil))
        return max(known, commit.record.time + 1)
    }

    /// Stores the directories below `content`, and that itself under its name as a mount's root.
    private func keep(
        _ content: ObjectID, as root: ObjectID, _ directories: [ObjectID: EditedTree.Directory], _ change: PinnedChange
    ) async throws(CacheError) {
        var changes: [IndexChange] = []
        var queue = [content]
        var seen = Set(queue)
        while let id = queue.popLast() {
            guard let directory = directories[id], let listing = try? PackedDirectory(directory.packed) else {
                continue
            }
            for index in 0..<listing.count where listing[index].id.kind == .changed {
                if seen.insert(listing[index].id).inserted { queue.append(listing[index].id) }
            }
            // One that is there may be more complete: sizes are noted in it when they are found.
            for key in id == content ? [id, root] : [id] where store.packedDirectory(key) == nil {
                changes.append(.directory(key, packed: directory.packed, paths: [:]))
            }
        }
        let record = SnapshotRecord(root: content, time: change.time)
        if store.snapshot(content) == nil { changes.append(.snapshot(content, record)) }
        changes.append(.snapshot(root, record))
        await store.writer.room()
        let isStored = await withCheckedContinuation { continuation in
            for change in changes.dropLast() { store.writer.submit(change) }
            store.writer.submit(changes[changes.count - 1]) { continuation.resume(returning: $0) }
        }
        guard isStored else {
            throw CacheError(.storage, "the tree of changelist \(change.name) cannot be stored in the cache's index")
        }
    }

    // MARK: Where it belongs

    private func root(
        of changelist: Changelist, _ question: ChangelistQuestion, in commit: ResolvedCommit, _ mount: [[UInt8]]
    ) async throws(CacheError) -> [[UInt8]] {
        if changelist.sharesHistory || changelist.base == .commit(commit.commit) { return [] }
        func unknown(_ why: String) -> CacheError {
            CacheError(
                .changelistMisplaced,
                "where changelist \(question.name) belongs in commit \(commit.commit) cannot be told: \(why); say where "
                    + "it begins (cl_path)")
        }
        guard case .commit(let base) = changelist.base else {
            throw unknown(changelist.base == .empty ? "it begins with nothing" : "origin \(name) tells no base of it")
        }
        let before = try await resolve(base.hex)
        var finder = RootFinder(base: try await shape(of: before.record.root))
        let isComplete = try await look(for: &finder, in: commit, mount)
        switch finder.verdict(isComplete: isComplete) {
        case .found(let root):
            return root
        case .ambiguous(let roots):
            let list = roots.prefix(8).map { ChangePlacement.text($0) }.joined(separator: ", ")
            throw unknown("what is at its root is at \(list)")
        case .uncertain(let root):
            throw unknown(
                "\(ChangePlacement.text(root)) looks like its root, but not all directories were looked at")
        case .nowhere:
            throw unknown("no directory looks like its root")
        }
    }

    /// On the way to the mount and then below it, until a directory is the very one. True if there are no more.
    private func look(
        for finder: inout RootFinder, in commit: ResolvedCommit, _ mount: [[UInt8]]
    ) async throws(CacheError) -> Bool {
        var way = commit.record.root
        for depth in 0...mount.count {
            finder.look(at: Array(mount.prefix(depth)), try await shape(of: way))
            guard depth < mount.count else { break }
            guard let listing = try await listings(of: [way])[way], let index = listing.index(of: mount[depth]),
                listing[index].mode == .directory
            else { return true }
            way = listing[index].id
        }
        var level = [(path: mount, id: way)]
        while finder.same.isEmpty, !level.isEmpty {
            var next: [(path: [[UInt8]], id: ObjectID)] = []
            let listings = try await listings(of: Array(Set(level.map(\.id))))
            for (path, id) in level {
                guard let listing = listings[id] else { continue }
                for index in 0..<listing.count where listing[index].mode == .directory {
                    next.append((path + [Array(listing.name(at: index))], listing[index].id))
                }
            }
            for (position, (path, id)) in next.enumerated() {
                guard !finder.isExhausted else { return false }
                if position.isMultiple(of: 64) {
                    _ = try await self.listings(of: Array(Set(next[position...].prefix(64).map(\.id))))
                }
                finder.look(at: path, try await shape(of: id))
            }
            level = next
        }
        return true
    }

    /// Ids of directories compare only where they are Git's, or where the origin has listed those.
    private func shape(of directory: ObjectID) async throws(CacheError) -> RootFinder.Shape {
        guard let listing = try await listings(of: [directory])[directory] else { return [:] }
        var shape: RootFinder.Shape = [:]
        for item in listing.items {
            let id = item.entry.id.kind == .path ? store.path(of: item.entry.id)?.listed : item.entry.id
            shape[item.name] = RootFinder.Entry(isDirectory: item.entry.mode == .directory, id: id)
        }
        return shape
    }
}
