import CacheProtocol
import GitObjects
import LinuxSystem

/// One preload under way: carries out what its plan says. Its code runs on the fetch thread, a little at a time.
actor PreloadJob {
    nonisolated let thread: FetchThread
    private unowned let store: OriginStore
    private let root: ObjectID
    private let answers = PreloadAnswers()
    private let changed: @Sendable (PreloadReport) -> Void
    private var plan: PreloadPlan
    private var report: PreloadReport
    private var rate = ProgressRate()
    private let began = Deadline.now
    private var lastProgress = Deadline.now
    private var failures = 0
    private var pausedUntil: Deadline?

    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Without anything new for so long it is given up.
    static let patience = Duration.seconds(3600)
    private static let longestPause = 30_000
    /// Steps before others get their turn on the thread.
    private static let turn = 64

    /// - Parameter changed: told how it goes on, on the fetch thread.
    init(
        _ request: PreloadRequest, root: ObjectID, store: OriginStore, thread: FetchThread,
        changed: @escaping @Sendable (PreloadReport) -> Void
    ) {
        self.store = store
        self.thread = thread
        self.root = root
        self.changed = changed
        plan = PreloadPlan(root: root, depth: request.depth, withContents: request.withContents)
        report = PreloadReport(request: request, state: .running)
    }

    /// Works until the end or until the owner stops.
    func run() async {
        await store.salvager.settled()
        var steps = 0
        while !thread.isStopping {
            for (question, result) in answers.take() { take(question, result) }
            if let moment = pausedUntil {
                await pause(until: moment)
                continue
            }
            guard Deadline.now < lastProgress.advanced(by: Self.patience) else { return giveUp() }
            steps += 1
            if steps.isMultiple(of: Self.turn) {
                tell()
                await Task.yield()
            }
            switch plan.next() {
            case .ask(let question):
                ask(question)
            case .open(let directory):
                open(directory)
            case .wait:
                tell()
                await answers.wait()
            case .settle:
                await settle()
            case .done:
                return end()
            }
        }
    }

    // MARK: Asking

    private func ask(_ question: PreloadPlan.Question) {
        switch question {
        case .directory(let id, _):
            if let packed = store.packedDirectory(id) { return take(question, .success(.directory(packed))) }
            prefetch(.directory(id), for: question)
        case .entry(let id, _, _, let mode):
            if let known = store.information(of: id), !mode || known.executable != nil {
                return take(question, .success(.information(size: known.size, executable: known.executable)))
            }
            prefetch(.information(id, mode: mode), for: question)
        case .blob(let id, let size):
            prefetch(.blob(id, size: size), for: question)
        }
    }

    private func prefetch(_ key: FlightKey, for question: PreloadPlan.Question) {
        store.prefetch(key) { [answers] result in answers.add(question, result) }
    }

    private func open(_ id: ObjectID) {
        guard let packed = store.packedDirectory(id), let listing = try? PackedDirectory(packed) else { return }
        var here = PreloadTally.Here()
        var missing: [(id: ObjectID, size: UInt64)] = []
        for index in 0..<listing.count where listing[index].mode.hasBlob {
            let entry = listing[index]
            if entry.id == .emptyBlobSHA1 || store.information(of: entry.id)?.flags.contains(.present) == true {
                here.objects += 1
                here.bytes += entry.size
            } else {
                missing.append((entry.id, entry.size))
            }
        }
        plan.contents(here: here, missing: missing)
        lastProgress = .now
    }

    // MARK: Answers

    private func take(_ question: PreloadPlan.Question, _ result: FlightResult) {
        switch (question, result) {
        case (.directory(let id, let depth), .success(.directory(let packed))):
            guard let listing = try? PackedDirectory(packed) else { return plan.failed(question) }
            plan.listed(id, depth: depth, listing)
        case (.entry(let id, let directory, let index, _), .success(.information(let size, let executable))):
            complete(id, directory, index, size, executable)
            plan.sized(question, size)
        case (.blob, .success):
            plan.fetched(question)
        case (_, .success):
            plan.failed(question)
        case (_, .failure(let error)):
            return take(question, error)
        }
        failures = 0
        lastProgress = .now
        report.state = .running
    }

    private func take(_ question: PreloadPlan.Question, _ error: CacheError) {
        report.cause = error.message
        switch error.code {
        case .unreachable, .timedOut, .overloaded, .storage:
            plan.putBack(question)
            // What fails together is one failure.
            guard pausedUntil == nil else { return }
            failures += 1
            let pause = min(Self.longestPause, 100 << min(failures, 9))
            pausedUntil = .after(.milliseconds(Int.random(in: pause / 2...pause)))
        default:
            plan.failed(question)
        }
    }

    private func complete(
        _ id: ObjectID, _ directory: ObjectID, _ index: Int, _ size: UInt64, _ executable: Bool?
    ) {
        guard let packed = store.packedDirectory(directory), let listing = try? PackedDirectory(packed),
            index < listing.count, listing[index].id == id
        else { return }
        var mode = listing[index].mode
        if listing[index].flags.contains(.modeUnknown) { mode = executable == true ? .executable : .regular }
        store.writer.submit(.completed(directory: directory, index: index, mode: mode, size: size))
    }

    private func pause(until moment: Deadline) async {
        report.state = .waiting
        tell()
        await sleep(until: moment)
        pausedUntil = nil
    }

    private func sleep(until moment: Deadline) async {
        await withCheckedContinuation { thread.resume($0, at: moment) }
    }

    // MARK: Ends

    /// Waits until the tree is in the index, and looks whether it is.
    private func settle() async {
        tell()
        await withCheckedContinuation { continuation in
            store.writer.submit(.used([], 0)) { _ in continuation.resume() }
        }
        guard plan.isSound else { return plan.treeIsStored(true) }
        for (index, id) in plan.order.enumerated() {
            if index.isMultiple(of: Self.turn) { await Task.yield() }
            guard store.hasCompleteListing(id) else {
                // For want of room, or because the index was replaced.
                pausedUntil = .after(.seconds(1))
                report.cause = "the tree could not be kept in the index"
                return plan.treeIsStored(false)
            }
        }
        plan.treeIsStored(true)
        report.treeIsComplete = true
        if plan.depth == nil { store.preloader.noteComplete(root, report.request) }
        tell()
    }

    private func end() {
        report.state = plan.isSound ? .complete : .incomplete
        if plan.isSound { report.cause = nil }
        tell()
    }

    private func giveUp() {
        report.state = .incomplete
        tell()
    }

    private func tell() {
        let now = Deadline.now
        report.tally = plan.tally
        report.phase = plan.phase
        report.milliseconds = UInt64(clamping: now.since(began).nanoseconds / 1_000_000)
        if plan.phase == .contents || plan.phase == .ended && plan.withContents {
            rate.note(plan.tally.fetchedBytes, now: now)
            let (done, total) = (plan.tally.bytes.done, plan.tally.bytes.total)
            report.secondsLeft = rate.secondsLeft(done, of: total)
        } else {
            rate.note(plan.tally.directories.done, now: now)
            // How much there is shows only at the end.
            report.secondsLeft = plan.phase == .ended ? 0 : nil
        }
        report.rate = rate.rate
        changed(report)
    }
}

/// Answers that have come, and the job that waits for one.
private final class PreloadAnswers: Sendable {
    private struct State {
        var answers: [(PreloadPlan.Question, FlightResult)] = []
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Guarded(State())

    func add(_ question: PreloadPlan.Question, _ result: FlightResult) {
        let waiting = state.with { state in
            defer { state.waiting = nil }
            state.answers.append((question, result))
            return state.waiting
        }
        waiting?.resume()
    }

    func take() -> [(PreloadPlan.Question, FlightResult)] {
        state.with { state in
            defer { state.answers = [] }
            return state.answers
        }
    }

    /// Until there is one that was not taken.
    func wait(isolation: isolated (any Actor)? = #isolation) async {
        await withCheckedContinuation { continuation in
            let isThere = state.with { state in
                if state.answers.isEmpty { state.waiting = continuation }
                return !state.answers.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }
}
