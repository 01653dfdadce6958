import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// All that belongs to one origin: its index, its object files, its flights. Nothing in it is shared with another origin.
final class OriginStore: DeadlineKeeper {
    let name: String
    let index: IndexSlot
    let objects: ObjectStore
    let writer: IndexWriter
    let counters: Counters
    let log: Log
    private let thread: FetchThread
    let configuration: CacheConfiguration
    let flights = Guarded(FlightTable())
    /// Path keys whose index write is under way.
    private let pendingPaths = Guarded<[ObjectID: PathRecord]>([:])
    /// For the fetch thread, and for the epoll threads where they land something.
    let reader: Guarded<IndexReaderBox>
    let nextRequest = Guarded<UInt64>(0)
    /// Flights that were begun in the background and that nobody else waits for.
    let background = Guarded<[FlightKey: Urgency]>([:])
    /// What is likely to be asked for next.
    private let readahead = Guarded(Readahead())
    private let sizesAhead = Guarded(SizesAhead())
    private let fetcherSlot = Guarded<OriginFetcher?>(nil)
    let directory: String
    let commitLog: CommitLog
    let inbox: Inbox
    let images: SealedImages
    private let sealerSlot = Guarded<Sealer?>(nil)
    let housekeeping: Housekeeping
    let salvager: Salvager
    let preloader: Preloader
    let mountUses = Guarded(MountUses())
    let recentUses = Guarded(RecentUses())
    /// Evicted, but not yet taken from the index.
    let leaving = Guarded(LeavingObjects())

    /// - Parameter directory: the store's own; made if it is not there.
    init(
        directory: String, origin: CacheConfiguration.Origin, configuration: CacheConfiguration, thread: FetchThread,
        housekeeping: Housekeeping, imagesTrusted: Bool, counters: Counters, log: Log
    ) throws {
        name = origin.name
        self.directory = directory
        commitLog = CommitLog("\(directory)/commits")
        self.housekeeping = housekeeping
        self.configuration = configuration
        self.thread = thread
        self.counters = counters
        self.log = log
        do {
            try StoreDirectory.checkStore(directory)
            try Directory.create(directory, mode: 0o755)
            let isMigrated = try StoreMigration.run(directory)
            if isMigrated { log.info("store-migrated", ["origin": origin.name]) }
            objects = try ObjectStore(
                directory, memory: housekeeping.memory,
                diskIsFull: { [evictor = housekeeping.evictor] in evictor.diskIsFull() })
            images = try SealedImages(directory, trusted: imagesTrusted && !isMigrated)
            let opened = try IndexSlot.open("\(directory)/index", readers: configuration.threads + 6)
            index = opened.slot
            let salvager = Salvager(origin: origin.name, counters: counters, log: log)
            self.salvager = salvager
            let preloader = Preloader(directory: directory, origin: origin.name, log: log)
            self.preloader = preloader
            reader = Guarded(try IndexReaderBox(index))
            let (evictor, sweeper) = (housekeeping.evictor, housekeeping.sweeper)
            inbox = try Inbox(objects, counters: counters, log: log)
            writer = try IndexWriter(
                slot: index, objects: objects, counters: counters, log: log,
                hooks: IndexWriter.Hooks(
                    usageChanged: { evictor.usageChanged() }, makeRoom: { evictor.makeRoom() },
                    replaced: { aside, writer in
                        counters.add(.damagedIndexes)
                        preloader.forgetComplete()
                        salvager.start(aside, into: writer)
                        sweeper.request(.rebuild)
                    }))
            if let aside = opened.aside {
                counters.add(.damagedIndexes)
                log.error("index-damaged", ["origin": origin.name, "cause": opened.damage ?? "", "moved": aside])
                salvager.start(aside, into: writer)
                sweeper.request(.rebuild)
            }
        } catch let error as StoreDirectory.Failure {
            throw error
        } catch {
            throw StoreError("the store \(directory) cannot be opened: \(error)")
        }
        let fetcher = OriginFetcher(
            store: self, origin: origin, configuration: configuration, thread: thread, counters: counters, log: log)
        fetcherSlot.with { $0 = fetcher }
    }

    var fetcher: OriginFetcher? { fetcherSlot.with { $0 } }

    // MARK: Sealing

    var sealer: Sealer? { sealerSlot.with { $0 } }

    /// Snapshots that are pinned are sealed from now on.
    func startSealing() throws(SystemError) {
        let sealer = try Sealer(self)
        try sealer.start()
        sealerSlot.with { $0 = sealer }
    }

    // MARK: Asking

    /// What became of a question.
    enum Asked {
        /// `recipient` was or will be called.
        case taken
        case duplicate
        case tooMany
    }

    /// Answers from a flight that has landed, joins one under way, or starts one.
    func ask(
        _ key: FlightKey, _ id: WaiterID, deadline: Deadline, _ recipient: @escaping FlightRecipient
    ) -> Asked {
        let deadline = deadline == .never ? Deadline.after(configuration.requestTimeout) : deadline
        return ask(key, FlightTable.Waiter(id: id, deadline: deadline, recipient: recipient))
    }

    private func ask(_ key: FlightKey, _ waiter: FlightTable.Waiter) -> Asked {
        let joined = flights.with { $0.join(key, waiter, now: .now) }
        switch joined {
        case .start:
            fetcherSlot.with { $0 }?.launch(key)
        case .waiting(let sooner):
            if let urgency = background.with({ $0.removeValue(forKey: key) }) {
                urgency.raise()
                fetcherSlot.with { $0 }?.promote(key, urgency)
            }
            if sooner { thread.wake() }
        case .landed(let value):
            waiter.recipient(.success(value))
        case .failed(let error):
            counters.add(.negativeHits)
            waiter.recipient(.failure(error))
        case .duplicate:
            return .duplicate
        case .tooMany:
            return .tooMany
        }
        return .taken
    }

    /// Asks for something that nobody waits for: what is asked for by somebody goes first. For the fetch thread.
    func prefetch(_ key: FlightKey, _ recipient: @escaping FlightRecipient) {
        let urgency = Urgency()
        // Before the flight begins, so that whoever joins it raises it.
        let isFirst = background.with { background in
            guard background[key] == nil else { return false }
            background[key] = urgency
            return true
        }
        let waiter = FlightTable.Waiter(
            id: WaiterID(owner: 0, request: nextInternalRequest()), deadline: .never, recipient: recipient)
        let joined = flights.with { $0.join(key, waiter, now: .now) }
        if case .start = joined {
            fetcherSlot.with { $0 }?.launch(key)
            return
        }
        if isFirst { settle(key) }
        switch joined {
        case .landed(let value): recipient(.success(value))
        case .failed(let error): recipient(.failure(error))
        default: break
        }
    }

    private func settle(_ key: FlightKey) {
        background.with { if !$0.isEmpty { $0[key] = nil } }
    }

    /// For the owner's own steps: waits as long as the flight takes, or until the deadline.
    func value(
        of key: FlightKey, deadline: Deadline = .never, isolation: isolated (any Actor)? = #isolation
    ) async throws(CacheError) -> FlightValue {
        // What is here needs no flight.
        if case .directory(let id) = key, let packed = packedDirectory(id) { return .directory(packed) }
        let request = nextInternalRequest()
        let result: FlightResult = await withCheckedContinuation { continuation in
            if OriginFetcher.urgency?.isBackground == true {
                return prefetch(key) { continuation.resume(returning: $0) }
            }
            _ = ask(
                key,
                FlightTable.Waiter(id: WaiterID(owner: 0, request: request), deadline: deadline) {
                    continuation.resume(returning: $0)
                })
        }
        return try result.get()
    }

    /// The health of the origin's places.
    var places: PlaceTable {
        fetcherSlot.with { $0 }?.places.with { $0 } ?? PlaceTable([])
    }

    // MARK: Readahead

    /// A worker was given a listing.
    func noteListed(_ id: ObjectID, _ packed: [UInt8]) {
        readahead.with { $0.listed(id, packed) }
    }

    /// A worker was given an object that was here.
    func noteUsed(_ id: ObjectID) {
        if readahead.with({ $0.used(id) }) { counters.add(.readaheadHits) }
    }

    /// Starts flights for what is likely to be missed after `id`; the caller has to carry them out. For the fetch thread.
    func flightsAhead(of id: ObjectID) -> [FlightKey] {
        let guesses = readahead.with { $0.missed(id) }.filter {
            $0.isDirectory ? packedDirectory($0.id) == nil : information(of: $0.id)?.flags.contains(.present) != true
        }
        var keys: [FlightKey] = []
        var ids: [ObjectID] = []
        for guess in guesses where guess.id != .emptyBlobSHA1 {
            let key: FlightKey = guess.isDirectory ? .directory(guess.id) : .blob(guess.id, size: guess.size)
            guard OriginFetcher.mayTravelTogether(key) else { continue }
            let waiter = FlightTable.Waiter(
                id: WaiterID(owner: 0, request: nextInternalRequest()), deadline: .never, recipient: { _ in })
            // One under way would get a waiter that nobody needs.
            guard flights.with({ $0.start(key, waiter, now: .now) }) else { continue }
            keys.append(key)
            ids.append(guess.id)
        }
        readahead.with { $0.guess(ids) }
        counters.add(.readaheadFetches, UInt64(ids.count))
        return keys
    }

    /// The size of an entry had to be asked for: asks for those that are likely to be wanted next, all at once. Those of which the mode is open too are left
    /// out, because that costs their contents.
    func askSizes(after index: Int, of directory: ObjectID, _ packed: [UInt8]) {
        guard let listing = try? PackedDirectory(packed) else { return }
        let ahead = sizesAhead.with { $0.missed(index, of: directory, count: listing.count) }
        for position in ahead where flights.with({ $0.waiting(of: 0) }) < 1024 {
            let entry = listing[position]
            guard entry.mode.hasBlob, entry.flags == .sizeUnknown, information(of: entry.id) == nil else { continue }
            let id = WaiterID(owner: 0, request: nextInternalRequest())
            _ = ask(.information(entry.id, mode: false), id, deadline: .never) { _ in }
        }
    }

    private func nextInternalRequest() -> UInt64 {
        nextRequest.with { next in
            next += 1
            return next
        }
    }

    func cancel(_ id: WaiterID) {
        if flights.with({ $0.cancel(id) }) { counters.add(.cancelled) }
    }

    func leave(owner: UInt64) {
        flights.with { $0.leave(owner: owner) }
        mountUses.with { $0.leave(owner, now: Int64(time(nil))) }
    }

    /// Something has been answered that is not stored yet.
    var isLanding: Bool {
        flights.with { $0.landed > 0 }
    }

    var waiters: (flights: Int, waiters: Int) {
        flights.with { ($0.flying, $0.waiters) }
    }

    // MARK: Landing

    /// Answers all who wait, then has the value stored; it stays answerable from memory until it is.
    func land(_ key: FlightKey, _ value: FlightValue, storing change: IndexChange?) {
        if case .directory(_, _, let paths)? = change, !paths.isEmpty {
            pendingPaths.with { $0.merge(paths) { _, new in new } }
        }
        settle(key)
        let waiters = flights.with { $0.land(key, value) }
        for waiter in waiters { waiter.recipient(.success(value)) }
        guard let change else { return flights.with { $0.forget(key) } }
        writer.submit(change) { [self] isStored in
            flights.with { $0.forget(key) }
            // What a path key stands for is known nowhere else.
            if isStored, case .directory(_, _, let paths) = change, !paths.isEmpty {
                pendingPaths.with { pending in for path in paths.keys { pending[path] = nil } }
            }
        }
    }

    func fail(_ key: FlightKey, _ error: CacheError) {
        let remember: Bool
        switch key {
        // What a name means may be another thing a moment later.
        case .pin, .changelist: remember = false
        default: remember = true
        }
        settle(key)
        let waiters = flights.with { $0.fail(key, error, now: .now, remember: remember) }
        for waiter in waiters { waiter.recipient(.failure(error)) }
    }

    // MARK: Deadlines

    var earliestDeadline: Deadline {
        flights.with { $0.earliestDeadline }
    }

    func expire(now: Deadline) {
        for waiter in flights.with({ $0.expire(now: now) }) {
            waiter.recipient(
                .failure(CacheError(.timedOut, "origin \(name) did not answer before the request's deadline")))
        }
    }

    // MARK: The fetch thread's look at the index

    func read<Value>(_ body: (borrowing IndexReader) throws(IndexError) -> Value?) -> Value? {
        do {
            return try reader.with { (box) throws(IndexError) in try body(box.reader) }
        } catch {
            unreadable(error)
            return nil
        }
    }

    /// A look at the index that failed counts as a miss: what is in it can be had again. A damaged one is replaced.
    func unreadable(_ error: IndexError) {
        counters.add(.storageFailures)
        log.error("index-read-failed", ["origin": name, "cause": "\(error)"])
        if error.isDamage, index.doubt(index.current) { writer.submit(.replaceIndex) }
    }

    func packedDirectory(_ id: ObjectID) -> [UInt8]? {
        read { (reader) throws(IndexError) in try reader.packedDirectory(id) }
    }

    func information(of id: ObjectID) -> BlobRecord? {
        if id == .emptyBlobSHA1 { return BlobRecord(size: 0, flags: .modeKnown, lastUse: 0) }
        return read { (reader) throws(IndexError) in try reader.blob(id) }
    }

    func knownSize(of id: ObjectID) -> UInt64? {
        information(of: id)?.size
    }

    func snapshot(_ commit: ObjectID) -> SnapshotRecord? {
        read { (reader) throws(IndexError) in try reader.snapshot(commit) }
    }

    func path(of key: ObjectID) -> PathRecord? {
        pendingPaths.with { $0[key] } ?? read { (reader) throws(IndexError) in try reader.path(key) }
    }

    /// Keeps what a root's key stands for until it is in the index.
    func remember(_ path: PathRecord, as key: ObjectID) {
        if path.path == [0x2F] { commitLog.note(path.commit) }
        pendingPaths.with { $0[key] = path }
        writer.submit(.path(key, path)) { [pendingPaths] _ in pendingPaths.with { $0[key] = nil } }
    }

    /// The commit a name meant so short a time ago that the origin need not be asked.
    func freshCommit(of revision: String) -> ObjectID? {
        guard configuration.headFreshnessMilliseconds > 0,
            let record = read({ (reader) throws(IndexError) in try reader.ref(Self.refName(revision)) })
        else { return nil }
        let age = Self.wallClock - record.seen
        return (0..<Int64(configuration.headFreshnessMilliseconds)).contains(age) ? record.commit : nil
    }

    func refRecord(_ commit: ObjectID) -> RefRecord {
        RefRecord(commit: commit, seen: Self.wallClock)
    }

    static func refName(_ revision: String) -> String {
        revision.isEmpty ? "HEAD" : revision
    }

    private static var wallClock: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Stores what is queued. Nothing may be asked any more.
    func finish() {
        preloader.stop()
        sealer?.stop()
        inbox.stop()
        _ = flushUses()
        salvager.finish()
        writer.finish()
        fetcherSlot.with { $0 = nil }
    }
}

/// A store that cannot be opened.
struct StoreError: Error, Sendable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
