import CacheProtocol
import GitObjects
import LinuxSystem

/// Carries out one origin's flights. Its code runs on the fetch thread.
actor OriginFetcher {
    nonisolated let thread: FetchThread
    nonisolated let origin: CacheConfiguration.Origin
    nonisolated let configuration: CacheConfiguration
    nonisolated let counters: Counters
    nonisolated let log: Log
    /// Set once, by the store that owns this, before the first flight.
    nonisolated unowned let store: OriginStore
    /// By place; nil where it has to be asked.
    private var capabilities: [PlaceCapabilities?]
    private var askingCapabilities: [Int: Task<PlaceCapabilities?, Never>] = [:]
    private var hasWarnedOfGuesses = false
    /// Roots of repositories that the origin serves at their head only.
    private var imports: Set<[UInt8]> = []
    nonisolated let bases: [String]
    nonisolated let lfsBase: String?
    nonisolated let access: TransferAccess
    /// The health of the places; the status looks at it too.
    nonisolated let places: Guarded<PlaceTable>
    nonisolated let figures = FetchFigures()
    /// Misses that nobody has looked at.
    nonisolated let arrivals = Guarded<[FlightKey]>([])
    var blobQueue = BatchQueue(requests: 6, itemLimit: 512, byteLimit: 1 << 20)
    var treeQueue = BatchQueue(requests: 6, itemLimit: 128, byteLimit: .max)

    /// When a directory that nobody knows may be looked for again; see `MegaDialect.recover`.
    var recoveryAllowed = Deadline(nanoseconds: 0)

    /// Of the flight under way, if that is one in the background. Every task of the fetcher sets it, lest it inherit another's.
    @TaskLocal static var urgency: Urgency?
    /// Of what is fetched in the background.
    var pace: Pace

    nonisolated var name: String { origin.name }

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    init(
        store: OriginStore, origin: CacheConfiguration.Origin, configuration: CacheConfiguration,
        thread: FetchThread, counters: Counters, log: Log
    ) {
        self.store = store
        self.origin = origin
        self.configuration = configuration
        self.thread = thread
        self.counters = counters
        self.log = log
        bases = origin.bases
        lfsBase = origin.lfsBase
        access = origin.access
        capabilities = Array(repeating: nil, count: origin.bases.count)
        places = Guarded(PlaceTable(origin.bases))
        pace = Pace(limit: RateLimit(UInt64(configuration.preloadRate)))
    }

    /// Starts a flight that the flight table asked for.
    nonisolated func launch(_ key: FlightKey) {
        guard Self.mayTravelTogether(key) else {
            Task(executorPreference: thread) { await self.fly(key) }
            return
        }
        let isFirst = arrivals.with { arrivals in
            arrivals.append(key)
            return arrivals.count == 1
        }
        if isFirst { Task(executorPreference: thread) { await self.sortArrivals() } }
    }

    /// A flight that was begun in the background is wanted now.
    nonisolated func promote(_ key: FlightKey, _ urgency: Urgency) {
        Task(executorPreference: thread) { await self.raise(key, urgency) }
    }

    func fly(_ key: FlightKey) async {
        let urgency = store.background.with { $0[key] }
        await Self.$urgency.withValue(urgency) { await self.carryOut(key) }
    }

    private func carryOut(_ key: FlightKey) async {
        await store.writer.room()
        // What looks absent may be on its way out of a damaged index.
        await store.salvager.settled()
        do throws(CacheError) {
            switch key {
            case .directory(let id): try await fetchDirectory(key, id)
            case .blob(let id, let size): try await fetchBlob(key, id, size)
            case .information(let id, let mode): try await fetchInformation(key, id, mode)
            case .pin(let revision, let path): try await pin(key, revision, path)
            case .changelist(let question): try await pinChangelist(key, question)
            }
        } catch {
            fail(key, error)
        }
    }

    nonisolated func fail(_ key: FlightKey, _ error: CacheError) {
        if error.code == .refused, case .directory = key {
            counters.add(.refusedTrees)
            log.warning("tree-refused", ["origin": name, "cause": error.message])
        }
        store.fail(key, error)
    }

    // MARK: Directories

    private func fetchDirectory(_ key: FlightKey, _ id: ObjectID) async throws(CacheError) {
        // It may have been stored between the asker's look at the index and this flight.
        if let packed = store.packedDirectory(id) { return store.land(key, .directory(packed), storing: nil) }
        guard id.kind != .changed else {
            throw CacheError(.storage, "the index has lost directory \(id) of a changelist: make the mount again")
        }
        let dialect: any OriginDialect = id.kind == .path ? MegaDialect() : AntaresDialect()
        var fetched = try await dialect.directory(id, self)
        fetched.packed = try await followingPointers(fetched.packed)
        store.land(
            key, .directory(fetched.packed),
            storing: .directory(id, packed: fetched.packed, paths: fetched.paths))
    }

    // MARK: Blobs

    /// Answers from the object files, where that can be done or where fetching would not help; false if the blob has to be fetched.
    func landLocal(_ key: FlightKey, _ id: ObjectID) -> Bool {
        switch store.localBlob(id) {
        case .here(let local):
            store.land(key, local, storing: nil)
        case .failed(let error):
            store.fail(key, error)
        case .absent:
            guard let adopted = store.adopt(id) else { return false }
            store.land(key, adopted, storing: .blob(id, size: adopted.blobSize, contents: nil))
        }
        return true
    }

    private func fetchBlob(_ key: FlightKey, _ id: ObjectID, _ size: UInt64?) async throws(CacheError) {
        if landLocal(key, id) { return }
        let value = id.kind == .lfs ? try await getLFSFile(id, size: size) : try await getBlob(id, size: size)
        switch value {
        case .contents(let bytes):
            store.land(key, value, storing: .blob(id, size: UInt64(bytes.count), contents: bytes))
        case .file(_, let size):
            store.land(key, value, storing: store.recorded(id, size: size))
        default:
            throw CacheError(.internalFailure, "a blob came as something else")
        }
    }

    private func fetchInformation(_ key: FlightKey, _ id: ObjectID, _ mode: Bool) async throws(CacheError) {
        if let known = store.information(of: id), !mode || known.executable != nil {
            let value = FlightValue.information(size: known.size, executable: known.executable)
            return store.land(key, value, storing: nil)
        }
        var size: UInt64?
        var executable: Bool?
        if mode {
            let (found, head) = try await beginning(of: id)
            size = found
            executable = Executables.isExecutable(head)
            noteGuess(id)
        } else {
            size = try await getSize(id)
            // A server that does not say how long it is has to be asked for all of it.
            if size == nil { size = try await beginning(of: id).size }
        }
        guard let size else { throw CacheError(.internalFailure, "blob \(id) has no size") }
        store.land(
            key, .information(size: size, executable: executable),
            storing: .blobInformation(id, size: size, executable: executable))
    }

    private func noteGuess(_ id: ObjectID) {
        counters.add(.guessedModes)
        guard !hasWarnedOfGuesses else { return }
        hasWarnedOfGuesses = true
        log.warning(
            "mode-guessed",
            [
                "origin": name, "blob": id.hex,
                "why": "the origin does not give modes for this commit; later ones are counted",
            ])
    }

    /// Size and first bytes of a blob, fetched if it is not here.
    private func beginning(of id: ObjectID) async throws(CacheError) -> (size: UInt64, head: [UInt8]) {
        // Asked first, so that the body has a bound.
        let size = (try? await getSize(id)) ?? nil
        switch try await store.value(of: .blob(id, size: size)) {
        case .contents(let bytes):
            return (UInt64(bytes.count), Array(bytes.prefix(4)))
        case .file(let file, let size):
            var head = [UInt8](repeating: 0, count: 4)
            let result = head.withUnsafeMutableBytes { buffer in
                Result { () throws(SystemError) in try File.read(file.raw, into: buffer, at: 0) }
            }
            guard case .success(let count) = result else {
                throw CacheError(.storage, "blob \(id) cannot be read from the cache")
            }
            return (size, Array(head.prefix(count)))
        default:
            throw CacheError(.internalFailure, "a blob came as something else")
        }
    }

    // MARK: Pins

    private func pin(_ key: FlightKey, _ revision: String, _ path: [UInt8]) async throws(CacheError) {
        let resolved = try await resolve(revision)
        var directory = resolved.record.root
        var walked: [UInt8] = []
        for component in PathKey.components(path) {
            guard case .directory(let packed) = try await store.value(of: .directory(directory)),
                let listing = try? PackedDirectory(packed)
            else { throw CacheError(.internalFailure, "directory \(directory) cannot be read") }
            walked += [0x2F] + component
            let shown = String(decoding: walked, as: UTF8.self)
            guard let index = listing.index(of: component) else {
                throw CacheError(.notFound, "\(shown) is not in commit \(resolved.commit) of origin \(name)")
            }
            let entry = listing[index]
            guard entry.mode == .directory else {
                throw CacheError(
                    .notADirectory, "\(shown) in commit \(resolved.commit) of origin \(name) is not a directory")
            }
            directory = entry.id
        }
        // Fetched before the answer: a root that cannot be had is an error with a reason here, and EIO without one in a mount.
        _ = try await store.value(of: .directory(directory))
        var assurance: PinnedSnapshot.Assurance = directory.kind == .path ? [] : .treesVerified
        if directory.kind == .path, isUnpinnable(directory) { assurance.insert(.unpinnable) }
        let image = SealedImages.Key(root: directory, time: resolved.record.time)
        let snapshot = PinnedSnapshot(
            origin: name, commit: resolved.commit, commitTime: resolved.record.time, root: directory,
            assurance: assurance,
            isSealed: await seal(image))
        store.land(key, .pinned(snapshot), storing: nil)
    }

    /// Whether the directory, or one that is known below it, cannot be had at a fixed commit.
    func isUnpinnable(_ directory: ObjectID) -> Bool {
        guard let record = store.path(of: directory) else { return false }
        let below = record.path == [0x2F] ? record.path : record.path + [0x2F]
        return record.isUnpinnable || imports.contains { $0 == record.path || $0.starts(with: below) }
    }

    /// A directory turned out to be served at the head of a repository of its own.
    func noteUnpinnable(_ record: PathRecord) {
        store.remember(record, as: PathKey.of(commit: record.commit, path: record.path))
        guard imports.insert(record.path).inserted else { return }
        counters.add(.unpinnableImports)
        log.warning(
            "import-unpinnable",
            [
                "origin": name, "path": String(decoding: record.path, as: UTF8.self),
                "why": "the origin serves its head whatever commit is asked for; what is seen first is kept",
            ])
    }

    func resolve(_ revision: String) async throws(CacheError) -> ResolvedCommit {
        if let commit = ObjectID(hex: revision), let record = store.snapshot(commit) {
            return ResolvedCommit(commit: commit, record: record)
        }
        if let fresh = store.freshCommit(of: revision), let record = store.snapshot(fresh) {
            return ResolvedCommit(commit: fresh, record: record)
        }
        let resolved = try await currentDialect().resolve(revision, self)
        if let commit = ObjectID(hex: revision), commit != resolved.commit {
            throw CacheError(.corrupt, "origin \(name) answered commit \(resolved.commit) for commit \(commit)")
        }
        if let rootPath = resolved.rootPath { store.remember(rootPath, as: resolved.record.root) }
        store.writer.submit(.snapshot(resolved.commit, resolved.record))
        if ObjectID(hex: revision) == nil {
            store.writer.submit(.ref(OriginStore.refName(revision), store.refRecord(resolved.commit)))
        }
        return resolved
    }

    // MARK: What places can do

    /// Which dialect the origin speaks: that of the first place that answers.
    func currentDialect() async throws(CacheError) -> any OriginDialect {
        if let known = capabilities.lazy.compactMap({ $0 }).first {
            return known.isAntares ? AntaresDialect() : MegaDialect()
        }
        let asked = Answerer()
        let call = OriginCall(path: "/antares/v1/capabilities", counter: .capabilityFetches)
        let reply = try await get(call, limit: 64 * 1024, noting: asked) { (body) throws(CacheError) in body }
        let found = reply.flatMap(AntaresReplies.capabilities) ?? .published
        if let place = asked.place { capabilities[place] = found }
        log.info("origin-dialect", ["origin": name, "dialect": found.isAntares ? "antares" : "mega"])
        return found.isAntares ? AntaresDialect() : MegaDialect()
    }

    /// What the place can do: asked once, and again after it did not answer.
    func capabilities(of place: Int) async -> PlaceCapabilities? {
        if let known = capabilities[place] { return known }
        if let asking = askingCapabilities[place] { return await asking.value }
        let asking = Self.$urgency.withValue(nil) {
            Task(executorPreference: thread) { await self.askCapabilities(of: place) }
        }
        askingCapabilities[place] = asking
        defer { askingCapabilities[place] = nil }
        return await asking.value
    }

    private func askCapabilities(of place: Int) async -> PlaceCapabilities? {
        let call = OriginCall(path: "/antares/v1/capabilities", counter: .capabilityFetches, attempts: 1, place: place)
        let result: Result<[UInt8]?, CacheError>
        do throws(CacheError) {
            result = .success(try await get(call, limit: 64 * 1024) { (body) throws(CacheError) in body })
        } catch {
            result = .failure(error)
        }
        guard case .success(let body) = result else { return nil }
        let found = body.flatMap(AntaresReplies.capabilities) ?? .published
        capabilities[place] = found
        return found
    }

    func forgetCapabilities(of place: Int) {
        capabilities[place] = nil
    }

    /// The place cannot do what it says.
    func disable(_ name: String, at place: Int) {
        capabilities[place]?.extensions.remove(name)
    }

    /// Whether it is known of a place that objects can be asked for together.
    func asksTogether(_ name: String) -> Bool {
        capabilities.contains { $0?.extensions.contains(name) == true }
    }

    /// Whether it is known of every place that objects have to be asked for one by one.
    func asksOneByOne(_ name: String) -> Bool {
        capabilities.allSatisfy { $0?.extensions.contains(name) == false }
    }
}

/// The rule for files whose mode an origin cannot tell.
enum Executables {
    /// Scripts that name their interpreter (execve(2)) and ELF files (elf(5)) are executable.
    static func isExecutable(_ head: [UInt8]) -> Bool {
        head.starts(with: [0x23, 0x21]) || head.starts(with: [0x7F, 0x45, 0x4C, 0x46])
    }
}
