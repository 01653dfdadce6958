import CacheProtocol
import GitObjects
import LinuxSystem

/// A store's preloads: starts them, a few at a time, and keeps the list of those that have not ended.
///
/// Nobody waits for a preload: what a mount asks for goes first, also where a preload has begun to fetch it.
final class Preloader: Sendable {
    /// A snapshot whose whole tree, with all modes and sizes, is in the index.
    struct CompleteTree: Sendable {
        let root: ObjectID
        let commit: ObjectID?
        /// Seconds after 1970.
        let commitTime: Int64
    }

    private struct State {
        var reports: [PreloadReport] = []
        var lastNumber: UInt64 = 0
        var complete: Set<ObjectID> = []
        var observers: [@Sendable (CompleteTree) -> Void] = []
        weak var store: OriginStore?
        var thread: FetchThread?
    }

    private let state = Guarded(State())
    private let file: PreloadFile
    private let log: Log
    private let name: String

    /// Under way at a time.
    static let limit = 2
    /// Not ended at a time.
    static let queueLimit = 64
    /// Ended ones that the status still shows.
    static let history = 8

    init(directory: String, origin: String, log: Log) {
        file = PreloadFile("\(directory)/preloads")
        name = origin
        self.log = log
    }

    /// Goes on with what an earlier owner had begun.
    func start(_ store: OriginStore, thread: FetchThread) {
        let kept = file.read()
        state.with { state in
            state.store = store
            state.thread = thread
            state.reports = kept.filter { $0.rootID != nil }.prefix(Self.queueLimit).map { PreloadReport(request: $0) }
            state.lastNumber = kept.map(\.number).max() ?? 0
        }
        launch()
    }

    /// Nothing may be started any more.
    func stop() {
        state.with { state in
            state.thread = nil
            state.observers = []
        }
    }

    /// Begins a preload, or finds the one that does the same.
    ///
    /// - Parameters:
    ///   - revision: as it was asked for.
    ///   - depth: levels of directories below the snapshot's root; nil for all.
    /// - Returns: its number in the status.
    @discardableResult
    func begin(
        _ snapshot: PinnedSnapshot, revision: String, path: String, depth: Int? = nil, contents: Bool
    ) throws(CacheError) -> UInt64 {
        var request = PreloadRequest(
            number: 0, revision: revision, path: path, commit: snapshot.commit.hex,
            root: PreloadRequest.text(of: snapshot.root), commitTime: snapshot.commitTime, depth: depth,
            withContents: contents)
        let number = state.with { state -> UInt64? in
            if let same = state.reports.first(where: { !$0.hasEnded && $0.request.isSame(as: request) }) {
                return same.request.number
            }
            guard state.reports.count(where: { !$0.hasEnded }) < Self.queueLimit else { return nil }
            state.lastNumber += 1
            request.number = state.lastNumber
            state.reports.append(PreloadReport(request: request))
            return request.number
        }
        guard let number else {
            throw CacheError(.overloaded, "\(Self.queueLimit) preloads of origin \(name) have not ended")
        }
        save()
        launch()
        return number
    }

    var reports: [PreloadReport] { state.with { $0.reports } }

    // MARK: Complete trees

    /// Tells of every tree that is complete from now on, on the fetch thread.
    func observe(_ observer: @escaping @Sendable (CompleteTree) -> Void) {
        state.with { $0.observers.append(observer) }
    }

    /// Whether a preload has found the whole tree of this root in the index. False says nothing.
    func isComplete(_ root: ObjectID) -> Bool {
        state.with { $0.complete.contains(root) }
    }

    func noteComplete(_ root: ObjectID, _ request: PreloadRequest) {
        let observers = state.with { state in
            state.complete.insert(root)
            return state.observers
        }
        log.info("tree-complete", ["origin": name, "commit": request.commit, "path": request.path])
        let tree = CompleteTree(root: root, commit: ObjectID(hex: request.commit), commitTime: request.commitTime)
        for observer in observers { observer(tree) }
    }

    /// The index was replaced.
    func forgetComplete() {
        state.with { $0.complete = [] }
    }

    // MARK: Running

    private func launch() {
        let started = state.with { state -> [PreloadJob] in
            guard let store = state.store, let thread = state.thread else { return [] }
            var jobs: [PreloadJob] = []
            var running = state.reports.count { $0.state == .running || $0.state == .waiting }
            for index in state.reports.indices where state.reports[index].state == .queued && running < Self.limit {
                let request = state.reports[index].request
                guard let root = request.rootID else { continue }
                state.reports[index].state = .running
                running += 1
                jobs.append(
                    PreloadJob(request, root: root, store: store, thread: thread) { [weak self] in self?.changed($0) })
            }
            return jobs
        }
        for job in started { Task(executorPreference: job.thread) { await job.run() } }
    }

    private func changed(_ report: PreloadReport) {
        state.with { state in
            guard let index = state.reports.firstIndex(where: { $0.request.number == report.request.number }) else {
                return
            }
            state.reports[index] = report
            let ended = state.reports.indices.filter { state.reports[$0].hasEnded }
            for index in ended.dropLast(Self.history).reversed() { state.reports.remove(at: index) }
        }
        guard report.hasEnded else { return }
        log.info(
            "preload-ended",
            [
                "origin": name, "commit": report.request.commit, "path": report.request.path,
                "state": report.state.rawValue, "directories": "\(report.tally.directories.done)",
                "bytes": "\(report.tally.fetchedBytes)", "failed": "\(report.tally.failed)",
                "cause": report.cause ?? "",
            ])
        save()
        launch()
    }

    private func save() {
        let requests = state.with { $0.reports.filter { !$0.hasEnded }.map(\.request) }
        do {
            try file.write(requests)
        } catch {
            log.warning("preloads-not-kept", ["origin": name, "cause": "\(error)"])
        }
    }
}

extension OriginStore {
    /// Whether a directory is in the index, and says mode and size of all its entries.
    func hasCompleteListing(_ id: ObjectID) -> Bool {
        guard let packed = packedDirectory(id), let listing = try? PackedDirectory(packed) else { return false }
        return (0..<listing.count).allSatisfy { listing[$0].isComplete || !listing[$0].mode.hasBlob }
    }

    /// Whether the whole tree of `root` is in the index, with all modes and sizes. Walks it on the calling thread, unless a preload
    /// has found it complete.
    func treeIsComplete(_ root: ObjectID) -> Bool {
        if preloader.isComplete(root) { return true }
        guard let reader = try? IndexReader(index) else { return false }
        var seen: Set<ObjectID> = [root]
        var pending = [root]
        while let id = pending.popLast() {
            guard let packed = (try? reader.packedDirectory(id)) ?? nil, let listing = try? PackedDirectory(packed)
            else { return false }
            for index in 0..<listing.count {
                let entry = listing[index]
                if entry.mode == .directory, seen.insert(entry.id).inserted { pending.append(entry.id) }
                guard entry.isComplete || !entry.mode.hasBlob else { return false }
            }
        }
        return true
    }
}
