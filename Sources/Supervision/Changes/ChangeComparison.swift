import CacheProtocol
import GitObjects

/// Compares what an upper layer has with the snapshot below it. A value without I/O: it says what it has to know of the snapshot's trees
/// and of the files' contents, and is told.
///
/// First `questions` and `answer` by turns until there are no more, then `listings`, then `files`, then `changes`.
struct ChangeComparison: Sendable {
    private let scan: UpperScan
    private let root: ObjectID
    /// For each entry of the scan.
    private var places: [Place]
    /// Directories of the snapshot by path that are shown at another place.
    private var moved = Set<[UInt8]>()
    /// Directories of the scan whose place is decided, and what is in them not.
    private var undecided = [0]
    private var asked: [(entry: Int, ofSource: Bool)] = []
    /// What is in directories that were made anew in place of the snapshot's.
    private var listed: [ObjectID: PackedDirectory] = [:]

    private struct Place {
        /// What the snapshot has in the directory's place by this name.
        var before: PackedEntry?
        /// What the snapshot has where a redirect leads.
        var source: PackedEntry?
        /// The directory of the snapshot that this one is compared with.
        var compared: ObjectID?
        /// What is in `compared` is shown here.
        var isMerged = false
        /// Where the redirect leads, if that is another place than the own one.
        var from: [UInt8]?
    }

    /// - Parameter root: the snapshot's directory that the mount shows.
    init(_ scan: UpperScan, root: ObjectID) {
        self.scan = scan
        self.root = root
        places = Array(repeating: Place(), count: scan.entries.count)
        places[0].compared = root
        places[0].isMerged = true
        for (index, entry) in scan.entries.enumerated() {
            guard let directory = entry.directory, !directory.isOpaque, let redirect = directory.redirect,
                let source = source(redirect, of: index), source != snapshotPath(of: index)
            else { continue }
            places[index].from = source
            moved.insert(source)
        }
    }

    // MARK: Paths of the snapshot

    /// Where the snapshot has, or would have, what is compared with an entry.
    private func snapshotPath(of index: Int) -> [UInt8] {
        guard index != 0 else { return [] }
        return Self.child(comparedPath(of: scan.entries[index].parent), scan.entries[index].name)
    }

    /// Where the snapshot has what the entries of a directory are compared with.
    private func comparedPath(of index: Int) -> [UInt8] {
        var names: [[UInt8]] = []
        var index = index
        while index != 0 {
            if let from = places[index].from {
                names.append(from)
                break
            }
            names.append(scan.entries[index].name)
            index = scan.entries[index].parent
        }
        return Array(names.reversed().joined(separator: [0x2F]))
    }

    /// Where a redirect leads; nil if it is none that an overlay makes.
    private func source(_ redirect: [UInt8], of index: Int) -> [UInt8]? {
        if redirect.first == 0x2F {
            let path = Array(redirect.dropFirst())
            return path.isEmpty || path.contains([0x2F, 0x2F]) || path.last == 0x2F ? nil : path
        }
        guard !redirect.isEmpty, !redirect.contains(0x2F) else { return nil }
        return Self.child(comparedPath(of: scan.entries[index].parent), redirect)
    }

    private static func child(_ path: [UInt8], _ name: [UInt8]) -> [UInt8] {
        path.isEmpty ? name : path + [0x2F] + name
    }

    private func isMoved(_ path: @autoclosure () -> [UInt8]) -> Bool {
        !moved.isEmpty && moved.contains(path())
    }

    // MARK: The trees

    /// What has to be looked up next in the snapshot's trees.
    mutating func questions() -> [TreePlace] {
        var questions: [TreePlace] = []
        asked = []
        while let parent = undecided.popLast() {
            let place = places[parent]
            for index in scan.entries[parent].directory?.children ?? 0..<0 {
                let count = questions.count
                if let compared = place.compared {
                    asked.append((index, false))
                    questions.append(TreePlace(directory: compared, path: scan.entries[index].name))
                }
                if let source = sourcePlace(of: index, in: place) {
                    asked.append((index, true))
                    questions.append(source)
                }
                // What nobody has to be asked about is decided at once.
                if questions.count == count { decide(index) }
            }
        }
        return questions
    }

    /// The answers to the last questions, in their order.
    mutating func answer(_ entries: [PackedEntry?]) {
        for (question, entry) in zip(asked, entries) {
            if question.ofSource {
                places[question.entry].source = entry
            } else {
                places[question.entry].before = entry
            }
        }
        var last = -1
        for question in asked where question.entry != last {
            last = question.entry
            decide(last)
        }
        asked = []
    }

    private func sourcePlace(of index: Int, in parent: Place) -> TreePlace? {
        let redirect: [UInt8]?
        switch scan.entries[index].kind {
        case .directory(let directory): redirect = directory.isOpaque ? nil : directory.redirect
        case .file(_, _, .lower(let found)): redirect = found
        default: redirect = nil
        }
        guard let redirect, redirect.count < TreePlace.maximumPath, source(redirect, of: index) != nil else {
            return nil
        }
        if redirect.first == 0x2F { return TreePlace(directory: root, path: Array(redirect.dropFirst())) }
        guard parent.isMerged, let compared = parent.compared else { return nil }
        return TreePlace(directory: compared, path: redirect)
    }

    private mutating func decide(_ index: Int) {
        guard let directory = scan.entries[index].directory else { return }
        undecided.append(index)
        let parent = places[scan.entries[index].parent]
        if !directory.isOpaque {
            let shown = directory.redirect != nil ? places[index].source : parent.isMerged ? places[index].before : nil
            if let shown, Self.isDirectory(shown) {
                places[index].compared = shown.mode == .directory ? shown.id : nil
                places[index].isMerged = true
                return
            }
        }
        places[index].from = nil
        guard let before = before(index), before.mode == .directory else { return }
        places[index].compared = before.id
    }

    /// A submodule is shown as an empty directory.
    private static func isDirectory(_ entry: PackedEntry) -> Bool {
        entry.mode == .directory || entry.mode == .submodule
    }

    /// What was at the place of an entry, and has not been moved to another.
    private func before(_ index: Int) -> PackedEntry? {
        guard let before = places[index].before else { return nil }
        return Self.isDirectory(before) && isMoved(snapshotPath(of: index)) ? nil : before
    }

    /// Directories whose listings are needed, once there are no more questions.
    func listings() -> [ObjectID] {
        Array(Set(replaced.compactMap { places[$0].compared })).sorted()
    }

    mutating func supply(_ id: ObjectID, _ directory: PackedDirectory) {
        listed[id] = directory
    }

    /// Directories that were made anew.
    private var replaced: some Sequence<Int> {
        places.indices.lazy.filter { places[$0].compared != nil && !places[$0].isMerged }
    }

    // MARK: What has gone

    private struct Gone {
        /// In the mount.
        var path: [UInt8]
        var snapshotPath: [UInt8]
        var entry: PackedEntry

        /// What a file that is the same would have; nil if that is not known, and then nobody has looked at it, nor renamed it.
        var likeness: Likeness? {
            entry.mode.hasBlob && entry.isComplete ? Likeness(mode: entry.mode, size: entry.size) : nil
        }
    }

    private struct Likeness: Hashable {
        var mode: FileMode
        var size: UInt64
    }

    private func gone() -> [Gone] {
        var gone: [Gone] = []
        for index in scan.entries.indices where scan.entries[index].kind == .whiteout {
            guard let before = before(index) else { continue }
            gone.append(Gone(path: scan.path(of: index), snapshotPath: snapshotPath(of: index), entry: before))
        }
        for index in replaced {
            guard let id = places[index].compared, let listing = listed[id] else { continue }
            let here = Set(scan.entries[index].directory?.children.map { scan.entries[$0].name } ?? [])
            for item in listing.items where !here.contains(item.name) {
                let snapshotPath = Self.child(comparedPath(of: index), item.name)
                if Self.isDirectory(item.entry), isMoved(snapshotPath) { continue }
                gone.append(
                    Gone(
                        path: Self.child(scan.path(of: index), item.name), snapshotPath: snapshotPath, entry: item.entry
                    ))
            }
        }
        return gone
    }

    // MARK: Contents

    /// A file or link of the upper whose id has to be known.
    struct Question: Hashable, Sendable {
        /// Of the scan.
        var index: Int
        var path: [UInt8]
        var isLink: Bool
        var kind: ObjectID.Kind
    }

    /// What was found of it.
    enum Contents: Hashable, Sendable {
        case id(ObjectID)
        /// It was written while it was read.
        case changing
        case vanished
    }

    /// Files that only their contents can tell from the snapshot's, or from ones that have gone.
    func files() -> [Question] {
        var wanted: [Likeness: ObjectID.Kind] = [:]
        for likeness in gone() {
            if let key = likeness.likeness { wanted[key] = likeness.entry.id.kind }
        }
        var questions: [Question] = []
        for (index, entry) in scan.entries.enumerated() {
            guard let own = own(entry) else { continue }
            let kind: ObjectID.Kind?
            if let before = before(index) {
                kind = Self.mayBeSame(own, before) ? before.id.kind : nil
            } else {
                kind = wanted[own]
            }
            guard let kind else { continue }
            questions.append(
                Question(index: index, path: scan.path(of: index), isLink: own.mode == .symlink, kind: kind))
        }
        return questions
    }

    /// Mode and size of what has contents of its own.
    private func own(_ entry: UpperEntry) -> Likeness? {
        switch entry.kind {
        case .file(let isExecutable, let size, .own):
            Likeness(mode: isExecutable ? .executable : .regular, size: size)
        case .symlink(let size): Likeness(mode: .symlink, size: size)
        default: nil
        }
    }

    private static func mayBeSame(_ own: Likeness, _ before: PackedEntry) -> Bool {
        isSame(own.mode, before) && (before.flags.contains(.sizeUnknown) || before.size == own.size)
    }

    private static func isSame(_ mode: FileMode, _ before: PackedEntry) -> Bool {
        if before.flags.contains(.modeUnknown) { return mode == .regular || mode == .executable }
        return mode == before.mode
    }

    // MARK: Changes

    /// In the order of the bytes of their paths. `contents` has what was found for each of `files`, by index.
    func changes(_ contents: [Int: Contents]) -> [UpperChange] {
        var changes: [UpperChange] = []
        var matching = RenameMatching()
        for index in scan.entries.indices.dropFirst() {
            guard let (kind, type) = change(index, contents) else { continue }
            let path = scan.path(of: index)
            if kind == .added, let key = key(index, contents) { matching.comes(path, key) }
            changes.append(UpperChange(path: path, kind: kind, type: type))
        }
        let gone = gone()
        for file in gone where file.likeness != nil {
            matching.goes(file.snapshotPath, RenameMatching.Key(id: file.entry.id, mode: file.entry.mode))
        }
        let renames = matching.renames()
        for index in changes.indices where changes[index].kind == .added {
            if let source = renames[changes[index].path] { changes[index].kind = .renamed(from: source) }
        }
        let moved = Set(renames.values)
        for file in gone where !moved.contains(file.snapshotPath) {
            changes.append(UpperChange(path: file.path, kind: .deleted, type: Self.type(file.entry.mode)))
        }
        return changes.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    /// What the entry itself says; whiteouts are told elsewhere.
    private func change(
        _ index: Int, _ contents: [Int: Contents]
    ) -> (UpperChange.Kind, UpperChange.EntryType)? {
        let before = before(index)
        switch scan.entries[index].kind {
        case .whiteout, .vanished:
            return nil
        case .other:
            return (before == nil ? .added : .modified, .other)
        case .directory(let directory):
            return change(directory, places[index], before).map { ($0, .directory) }
        case .file(let isExecutable, _, _):
            let mode = isExecutable ? FileMode.executable : .regular
            return change(index, mode, before, contents).map { ($0, Self.type(mode)) }
        case .symlink:
            return change(index, .symlink, before, contents).map { ($0, .symlink) }
        }
    }

    private func change(
        _ directory: UpperEntry.Directory, _ place: Place, _ before: PackedEntry?
    ) -> UpperChange.Kind? {
        if place.isMerged { return place.from.map { .renamed(from: $0) } }
        if let before { return Self.isDirectory(before) ? nil : .modified }
        return directory.children.contains { scan.entries[$0].isShown } ? nil : .added
    }

    private func change(
        _ index: Int, _ mode: FileMode, _ before: PackedEntry?, _ contents: [Int: Contents]
    ) -> UpperChange.Kind? {
        if contents[index] == .vanished { return nil }
        guard let before else { return .added }
        guard Self.isSame(mode, before), let id = id(index, contents), id == before.id else { return .modified }
        return nil
    }

    private func id(_ index: Int, _ contents: [Int: Contents]) -> ObjectID? {
        if case .file(_, _, .lower(let redirect)) = scan.entries[index].kind {
            return (redirect == nil ? places[index].before : places[index].source)?.id
        }
        guard case .id(let id) = contents[index] else { return nil }
        return id
    }

    private func key(_ index: Int, _ contents: [Int: Contents]) -> RenameMatching.Key? {
        let mode: FileMode
        switch scan.entries[index].kind {
        case .file(let isExecutable, _, _): mode = isExecutable ? .executable : .regular
        case .symlink: mode = .symlink
        default: return nil
        }
        return id(index, contents).map { RenameMatching.Key(id: $0, mode: mode) }
    }

    private static func type(_ mode: FileMode) -> UpperChange.EntryType {
        switch mode {
        case .regular: .file
        case .executable: .executable
        case .symlink: .symlink
        case .directory, .submodule: .directory
        }
    }
}
