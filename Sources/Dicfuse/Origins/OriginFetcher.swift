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
    private(set) unowned var store: OriginStore
    private var dialect: (any OriginDialect)?
    private var hasWarnedOfGuesses = false
    let bases: [String]
    /// Which base was last good.
    var preferred = 0

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
    }

    /// Starts a flight that the flight table asked for.
    nonisolated func launch(_ key: FlightKey) {
        Task(executorPreference: thread) { await self.fly(key) }
    }

    private func fly(_ key: FlightKey) async {
        await store.writer.room()
        do throws(CacheError) {
            switch key {
            case .directory(let id): try await fetchDirectory(key, id)
            case .blob(let id, let size): try await fetchBlob(key, id, size)
            case .information(let id, let mode): try await fetchInformation(key, id, mode)
            case .pin(let revision, let path): try await pin(key, revision, path)
            }
        } catch {
            if error.code == .unreachable { dialect = nil }
            if error.code == .refused, case .directory = key {
                counters.add(.refusedTrees)
                log.warning("tree-refused", ["origin": name, "cause": error.message])
            }
            store.fail(key, error)
        }
    }

    // MARK: Directories

    private func fetchDirectory(_ key: FlightKey, _ id: ObjectID) async throws(CacheError) {
        // It may have been stored between the asker's look at the index and this flight.
        if let packed = store.packedDirectory(id) { return store.land(key, .directory(packed), storing: nil) }
        let dialect: any OriginDialect = id.kind == .path ? MegaDialect() : AntaresDialect()
        let fetched = try await dialect.directory(id, self)
        store.land(
            key, .directory(fetched.packed),
            storing: .directory(id, packed: fetched.packed, paths: fetched.paths))
    }

    // MARK: Blobs

    private func fetchBlob(_ key: FlightKey, _ id: ObjectID, _ size: UInt64?) async throws(CacheError) {
        if let local = store.localBlob(id) { return store.land(key, local, storing: nil) }
        let value = try await getBlob(id, size: size)
        switch value {
        case .contents(let bytes):
            store.land(key, value, storing: .blob(id, size: UInt64(bytes.count), contents: bytes))
        case .file(_, let size):
            store.land(key, value, storing: .blob(id, size: size, contents: nil))
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
        let snapshot = PinnedSnapshot(
            origin: name, commit: resolved.commit, commitTime: resolved.record.time, root: directory,
            assurance: directory.kind == .path ? [] : .treesVerified)
        store.land(key, .pinned(snapshot), storing: nil)
    }

    private func resolve(_ revision: String) async throws(CacheError) -> ResolvedCommit {
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

    /// Which dialect the origin speaks: asked once, and again after it could not be reached.
    private func currentDialect() async throws(CacheError) -> any OriginDialect {
        if let dialect { return dialect }
        let reply = try await get(
            "/antares/v1/capabilities", counting: .capabilityFetches, limit: 64 * 1024
        ) { (body) throws(CacheError) in body }
        let isAntares = reply?.first { $0 != 0x20 && $0 != 0x0A } == UInt8(ascii: "{")
        let found: any OriginDialect = isAntares ? AntaresDialect() : MegaDialect()
        dialect = found
        log.info("origin-dialect", ["origin": name, "dialect": isAntares ? "antares" : "mega"])
        return found
    }

    /// For the status.
    func dialectName() -> String {
        switch dialect {
        case is AntaresDialect: "antares"
        case is MegaDialect: "mega"
        default: "unknown"
        }
    }
}

/// The rule for files whose mode an origin cannot tell.
enum Executables {
    /// Scripts that name their interpreter (execve(2)) and ELF files (elf(5)) are executable.
    static func isExecutable(_ head: [UInt8]) -> Bool {
        head.starts(with: [0x23, 0x21]) || head.starts(with: [0x7F, 0x45, 0x4C, 0x46])
    }
}
