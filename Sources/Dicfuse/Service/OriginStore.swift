import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// All that belongs to one origin: its index, its object files, its flights. Nothing in it is shared with another origin.
final class OriginStore: DeadlineKeeper {
    let name: String
    let environment: IndexEnvironment
    let objects: ObjectStore
    let writer: IndexWriter
    private let counters: Counters
    private let log: Log
    private let thread: FetchThread
    private let configuration: CacheConfiguration
    private let flights = Guarded(FlightTable())
    /// Path keys whose index write is under way.
    private let pendingPaths = Guarded<[ObjectID: PathRecord]>([:])
    /// For the fetch thread, and for the epoll threads where they land something.
    private let reader: Guarded<IndexReaderBox>
    private let nextRequest = Guarded<UInt64>(0)
    private let fetcherSlot = Guarded<OriginFetcher?>(nil)

    /// - Parameter directory: the store's own; made if it is not there.
    init(
        directory: String, origin: CacheConfiguration.Origin, configuration: CacheConfiguration, thread: FetchThread,
        counters: Counters, log: Log
    ) throws {
        name = origin.name
        self.configuration = configuration
        self.thread = thread
        self.counters = counters
        self.log = log
        do {
            for path in ["", "/objects", "/incoming", "/quarantine", "/index", "/index/data.mdb", "/index/lock.mdb"] {
                try StoreDirectory.checkOwner(directory + path)
            }
            try Directory.create(directory, mode: 0o755)
            objects = try ObjectStore(directory)
            environment = try Self.openIndex("\(directory)/index", readers: configuration.threads + 2, log)
            reader = Guarded(try IndexReaderBox(environment))
            writer = try IndexWriter(environment: environment, objects: objects, counters: counters, log: log)
        } catch let error as StoreDirectory.Failure {
            throw error
        } catch {
            throw StoreError("the store \(directory) cannot be opened: \(error)")
        }
        let fetcher = OriginFetcher(
            store: self, origin: origin, configuration: configuration, thread: thread, counters: counters, log: log)
        fetcherSlot.with { $0 = fetcher }
    }

    private static func openIndex(_ path: String, readers: Int, _ log: Log) throws -> IndexEnvironment {
        try Directory.create(path, mode: 0o700)
        switch Self.tryIndex(path, readers) {
        case .success(let environment):
            return environment
        case .failure(let error):
            guard error.isDamage else { throw error }
            // All that is in it can be had again; what it says cannot be trusted.
            let aside = "\(path).damaged-\(time(nil))"
            log.error("index-damaged", ["path": path, "cause": "\(error)", "moved": aside])
            try check(rename(path, aside), "rename", path)
            try Directory.create(path, mode: 0o700)
            return try IndexEnvironment(path, readers: readers)
        }
    }

    private static func tryIndex(_ path: String, _ readers: Int) -> Result<IndexEnvironment, IndexError> {
        Result { () throws(IndexError) in try IndexEnvironment(path, readers: readers) }
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

    /// For the owner's own steps: waits as long as the flight takes.
    func value(
        of key: FlightKey, isolation: isolated (any Actor)? = #isolation
    ) async throws(CacheError) -> FlightValue {
        // What is here needs no flight.
        if case .directory(let id) = key, let packed = packedDirectory(id) { return .directory(packed) }
        let request = nextRequest.with { next in
            next += 1
            return next
        }
        let result: FlightResult = await withCheckedContinuation { continuation in
            _ = ask(
                key,
                FlightTable.Waiter(id: WaiterID(owner: 0, request: request), deadline: .never) {
                    continuation.resume(returning: $0)
                })
        }
        return try result.get()
    }

    func cancel(_ id: WaiterID) {
        if flights.with({ $0.cancel(id) }) { counters.add(.cancelled) }
    }

    func leave(owner: UInt64) {
        flights.with { $0.leave(owner: owner) }
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
        let waiters = flights.with { $0.land(key, value) }
        for waiter in waiters { waiter.recipient(.success(value)) }
        guard let change else { return flights.with { $0.forget(key) } }
        writer.submit(change) { [self] _ in
            flights.with { $0.forget(key) }
            if case .directory(_, _, let paths) = change, !paths.isEmpty {
                pendingPaths.with { pending in for path in paths.keys { pending[path] = nil } }
            }
        }
    }

    func fail(_ key: FlightKey, _ error: CacheError) {
        let remember: Bool
        if case .pin = key { remember = false } else { remember = true }
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

    private func read<Value>(_ body: (borrowing IndexReader) throws(IndexError) -> Value?) -> Value? {
        do {
            return try reader.with { (box) throws(IndexError) in try body(box.reader) }
        } catch {
            counters.add(.storageFailures)
            log.error("index-read-failed", ["origin": name, "cause": "\(error)"])
            return nil
        }
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

    // MARK: Object files

    /// A blob that is here, for the fetch thread; nil if it has to be fetched.
    func localBlob(_ id: ObjectID) -> FlightValue? {
        guard let record = information(of: id) else { return nil }
        return localBlob(id, record)
    }

    /// A blob that is here according to `record`; a damaged file is set aside and counts as absent.
    func localBlob(_ id: ObjectID, _ record: BlobRecord) -> FlightValue? {
        if id == .emptyBlobSHA1 { return .contents([]) }
        guard record.flags.contains(.present) else { return nil }
        do throws(SystemError) {
            switch try objects.open(id, size: record.size) {
            case .file(let file):
                guard record.size <= UInt64(WorkerReply.inlineBlobLimit) else {
                    return .file(file, size: record.size)
                }
                var bytes = [UInt8](repeating: 0, count: Int(record.size))
                let result = bytes.withUnsafeMutableBytes { buffer in
                    Result { () throws(SystemError) in try File.read(file.raw, into: buffer, at: 0) }
                }
                return try result.get() == bytes.count ? .contents(bytes) : nil
            case .absent:
                writer.submit(.blobLost(id))
                return nil
            case .damaged:
                counters.add(.damagedObjects)
                log.error("object-damaged", ["origin": name, "object": id.hex, "action": "quarantined"])
                try objects.quarantine(id)
                writer.submit(.blobLost(id))
                return nil
            }
        } catch {
            counters.add(.storageFailures)
            log.error("object-read-failed", ["origin": name, "object": id.hex, "cause": "\(error)"])
            return nil
        }
    }

    /// Stores what is queued. Nothing may be asked any more.
    func finish() {
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
